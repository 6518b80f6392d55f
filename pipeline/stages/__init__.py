"""One module per stage of ``dvc.yaml``, named like it: ``run(params, paths)``."""
