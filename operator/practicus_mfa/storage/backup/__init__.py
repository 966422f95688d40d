"""Backups: a consistent snapshot in one file, and the way back from it.

:mod:`~.format` says what a file is, :mod:`~.rows` and :mod:`~.manifest` what stands in it; :mod:`~.write`
makes one while the service runs, :mod:`~.read` opens and checks it. A restore (:mod:`~.restore`) puts back
every table, people (:mod:`~.people`) and the audit (:mod:`~.audit`) with more care than the rest;
:mod:`~.compare` counts before what it would overwrite. All of them stream: a million users take no more
memory than a thousand.
"""
