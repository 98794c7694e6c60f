"""What a module with functions of feature views imports: docs/features.md."""

from __future__ import annotations

from quality_platform.features.python_view import FeatureContext, FeatureInputs, TimeRange

__all__ = ["FeatureContext", "FeatureInputs", "TimeRange"]
