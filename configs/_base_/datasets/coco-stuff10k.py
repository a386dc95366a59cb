# COCO-Stuff 10K, 171 classes. Annotation 0 is void and becomes the ignore
# label 255. The class does not set reduce_zero_label by itself; the loaders
# and pipelines of ADE20K do.
_base_ = './ade20k.py'

dataset_type = 'COCOStuffDataset'
data_root = 'data/coco_stuff10k'

# 4 GPUs x 4 images.
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(
            img_path='images/train2014', seg_map_path='annotations/train2014'
        ),
    ),
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(
            img_path='images/test2014', seg_map_path='annotations/test2014'
        ),
    ),
)
test_dataloader = val_dataloader
