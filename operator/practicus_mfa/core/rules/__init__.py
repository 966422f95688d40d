"""One rule a module, named after the case that it is about.

A rule looks at the :class:`~practicus_mfa.core.situation.Situation` and returns its verdict, or ``None``
where its case is not given. The first verdict counts, in the order that
:mod:`practicus_mfa.core.decide` lists the rules.
"""
