from quality_platform.validation.expectation_kinds import *
