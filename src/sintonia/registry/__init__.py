"""MLflow: runs, registered models, approvals and champions. Nothing else in the package uses it."""
