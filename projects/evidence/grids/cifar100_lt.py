"""The papers' setting for CIFAR-100-LT, of 400 epochs, as shipped."""

from collections.abc import Mapping, Sequence
from functools import partial

from evidence_claims import ADJUSTED, Claim, claims_table
from evidence_description import Description, Method
from evidence_pictures import classes_picture, overview_picture
from evidence_tables import adjusted_table, methods_table

SHIPPED = {
    'Cross-entropy': 'baselines/cross-entropy_',
    'Balanced Softmax': 'baselines/balanced-softmax_',
    'Multi-task': 'baselines/multi-task-balanced-softmax_',
    'PaCo': 'paco/',
    'GPaCo': 'gpaco/',
}


def described(
    name: str,
    mark: str,
    config: str,
    labels: Sequence[str] = tuple(SHIPPED),
    env: Mapping[str, str] = {},  # noqa: B006
) -> Description:
    """Describe shipped methods on CIFAR-100-LT; nothing is chosen.

    Args:
        name: Name of the grid.
        mark: What the marks of its tables begin with.
        config: Stem of the config, which METHOD names a shipped one to.
        labels: The methods.
        env: Environment variables of all.
    """
    claims = [
        Claim(f'GPaCo is better than {x}', 'GPaCo', x)
        for x in reversed(labels)
        if x != 'GPaCo'
    ]
    return Description(
        name=name,
        page='docs/evidence_cifar100-lt.md',
        configs='projects/evidence/cifar100_lt',
        work_dir=f'work_dirs/evidence_{name}',
        methods=[
            Method(
                label,
                config,
                env={
                    'METHOD': f'{SHIPPED[label]}resnet32_cifar100-lt-if100',
                    **env,
                },
            )
            for label in labels
        ],
        tables={
            f'{mark} methods': [partial(methods_table, methods=labels)],
            f'{mark} claims': [partial(claims_table, claims=claims)],
            f'{mark} adjusted': [
                partial(adjusted_table, methods=labels),
                partial(claims_table, claims=claims, measure=ADJUSTED),
            ],
        },
        pictures={
            f'evidence_{name}_overview.png': partial(
                overview_picture, methods=labels
            ),
            f'evidence_{name}_classes.png': partial(
                classes_picture, methods=labels
            ),
        },
    )


GRID = described('cifar100_lt', '400 epochs', 'lists')
