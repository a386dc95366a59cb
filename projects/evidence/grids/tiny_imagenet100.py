"""The papers' methods on 100 long-tailed classes of Tiny-ImageNet."""

from functools import partial

from evidence_claims import ADJUSTED, STEEPNESS, Claim, claims_table
from evidence_description import Description, Method
from evidence_pictures import (
    classes_picture,
    gradients_picture,
    overview_picture,
)
from evidence_tables import (
    adjusted_table,
    methods_table,
    steepness_table,
    trials_table,
)

SETUP = 'resnet14-w16_tiny-imagenet100-lt'
RATES = [{'LR': '0.1'}, {'LR': '0.05'}]
TEMPERATURES = [{'TEMPERATURE': '0.07'}, {'TEMPERATURE': '0.2'}]
# As on CIFAR-100-LT and on ImageNet-LT.
STRENGTHS = [
    {'ALPHA': '0.01', 'TEMPERATURE': '0.07'},
    {'ALPHA': '0.05', 'TEMPERATURE': '0.2'},
]
NORMALISED = 'τ-normalised'
NORM = 'batch norm in the projector'
MULTI_TASK = 'Multi-task'

TUNED = [
    Method('GPaCo', f'gpaco/{SETUP}', STRENGTHS),
    Method('Balanced Softmax', f'baselines/balanced-softmax_{SETUP}', RATES),
    Method('PaCo', f'paco/{SETUP}', STRENGTHS),
    Method(
        'Cross-entropy',
        f'baselines/cross-entropy_{SETUP}',
        RATES,
        normalised=NORMALISED,
    ),
    Method(
        MULTI_TASK,
        f'baselines/multi-task-balanced-softmax_{SETUP}',
        TEMPERATURES,
    ),
    Method(
        'SupCon',
        f'baselines/supcon-stage2_{SETUP}',
        TEMPERATURES,
        after=('SupCon, stage 1', f'baselines/supcon-stage1_{SETUP}'),
    ),
]
FIRST_STAGES = {
    'decoupling-stage1': 'Decoupling, stage 1',
    'mislas-stage1': 'MiSLAS, stage 1',
}
# As released, untuned here.
COMPARED = [
    Method(
        label,
        f'compared/{name}_{SETUP}',
        after=first and (FIRST_STAGES[first], f'compared/{first}_{SETUP}'),
        contest=True,
    )
    for label, name, first in (
        ('Focal', 'focal', None),
        ('CB-Focal', 'cb-focal', None),
        ('LDAM-DRW', 'ldam-drw', None),
        ('cRT', 'crt', 'decoupling-stage1'),
        ('LWS', 'lws', 'decoupling-stage1'),
        ('MiSLAS', 'mislas-stage2', 'mislas-stage1'),
        ('De-confound-TDE', 'tde', None),
        ('ResLT', 'reslt', None),
        ('RIDE', 'ride', None),
        ('BBN', 'bbn', None),
    )
]
ABLATIONS = [
    Method('GPaCo, one view', f'gpaco/{SETUP}_one-view', like='GPaCo'),
    Method(f'GPaCo, {NORM}', f'gpaco/{SETUP}_projector-norm', like='GPaCo'),
    Method(
        f'SupCon, {NORM}',
        f'baselines/supcon-stage2_{SETUP}_projector-norm',
        after=(
            f'SupCon, {NORM}, stage 1',
            f'baselines/supcon-stage1_{SETUP}_projector-norm',
        ),
        like='SupCon',
    ),
    *(
        Method(f'{like}, {what}', settings=[setting], like=like)
        for like, what, setting in (
            ('GPaCo', 'no queue', {'QUEUE': '0'}),
            ('GPaCo', 'queue 4096', {'QUEUE': '4096'}),
            ('GPaCo', 'alpha 0.05', {'ALPHA': '0.05'}),
            ('GPaCo', 'alpha 0.2', {'ALPHA': '0.2'}),
            ('Cross-entropy', 'imbalance 10', {'IMBALANCE': '10'}),
            ('Balanced Softmax', 'imbalance 10', {'IMBALANCE': '10'}),
            ('GPaCo', 'imbalance 10', {'IMBALANCE': '10'}),
        )
    ),
]
ORDER = (
    'Cross-entropy',
    'SupCon',
    NORMALISED,
    'Balanced Softmax',
    MULTI_TASK,
    'PaCo',
    'GPaCo',
)
BESIDE = (
    *('Cross-entropy', 'Balanced Softmax', 'GPaCo'),
    *(method.label for method in COMPARED),
)
CHANGED = [method.label for method in ABLATIONS]
CLAIMS = [
    Claim(f'GPaCo is better than {other}', 'GPaCo', other)
    for other in ('PaCo', MULTI_TASK, 'Balanced Softmax', 'Cross-entropy')
]
CLAIMS += [
    Claim('two views are better than one', 'GPaCo', 'GPaCo, one view'),
    Claim('a queue of 1024 is better than none', 'GPaCo', 'GPaCo, no queue'),
    Claim(
        'a queue of 4096 is better than one of 1024',
        'GPaCo, queue 4096',
        'GPaCo',
    ),
    Claim(
        'at imbalance 10, GPaCo is better than Balanced Softmax',
        'GPaCo, imbalance 10',
        'Balanced Softmax, imbalance 10',
    ),
]
STEEPER = [Claim('steeper for SupCon than for PaCo', 'SupCon', 'PaCo')]
# On the front page: one of each kind, with three seeds.
FRONT = (
    'Cross-entropy',
    'Balanced Softmax',
    'PaCo',
    'GPaCo',
    'MiSLAS',
    'RIDE',
)

GRID = Description(
    name='tiny_imagenet100',
    page='docs/evidence.md',
    configs='configs',
    work_dir='work_dirs/evidence',
    methods=[*TUNED, *ABLATIONS, *COMPARED],
    repeated=3,
    tables={
        'trials': [trials_table],
        'methods': [partial(methods_table, methods=ORDER)],
        'claims': [partial(claims_table, claims=CLAIMS)],
        'adjusted': [
            partial(adjusted_table, methods=[*ORDER, *CHANGED]),
            partial(claims_table, claims=CLAIMS, measure=ADJUSTED),
        ],
        'compared': [partial(methods_table, methods=BESIDE)],
        'compared adjusted': [partial(adjusted_table, methods=BESIDE)],
        'ablations': [
            partial(methods_table, methods=['GPaCo', *CHANGED], seeds=1)
        ],
        'gradients': [
            partial(steepness_table, methods=ORDER),
            partial(claims_table, claims=STEEPER, measure=STEEPNESS),
        ],
    },
    pictures={
        'evidence_classes.png': partial(classes_picture, methods=ORDER),
        'evidence_compared.png': partial(classes_picture, methods=BESIDE),
        'evidence_overview.png': partial(
            overview_picture, methods=dict.fromkeys([*ORDER, *BESIDE])
        ),
        'evidence_front.png': partial(overview_picture, methods=FRONT),
        'evidence_gradients.png': partial(gradients_picture, methods=ORDER),
    },
)
