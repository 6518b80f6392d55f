"""From files to arrays: layout, images, store, folds, augmentation, batches, sample data."""
