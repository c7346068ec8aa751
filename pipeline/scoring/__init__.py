"""The fastText classifier behind the quality score; the stages that use it are quality_model and quality."""
