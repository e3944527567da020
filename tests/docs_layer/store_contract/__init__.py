"""The contract of `docs_layer.store` as tests: every implementation passes all of them.

What must conflict is asserted for each; what should not only where `Limits.exact_conflicts` is declared.
"""
