"""The one place where bodies leave the pipeline."""
