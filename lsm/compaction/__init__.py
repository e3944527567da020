"""Compaction: `plan` is what to do, `leveled` and `manual` decide it (pure functions), `job` does it.

A decision looks at a version and returns a `Plan`; the job turns a plan and open tables into new tables and knows no
policy; whoever installs the result turns plan and tables into an edit. Another strategy is another module that returns
plans.
"""
