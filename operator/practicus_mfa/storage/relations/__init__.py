"""Relations: tables whose tokens rotate, ours and other applications', behind one face.

A relation gives its tokens page by page in the order of its ids (:mod:`~.cells` says what a page is), and
takes a page back by compare-and-swap: a row changes only where its token is still the one that was read.
:mod:`~.own` is ``mfa_factors``, :mod:`~.foreign` a table of ``migration.tables``, whose names
(:mod:`~.names`) and columns (:mod:`~.catalog`) the database is asked about first; :mod:`~.pages` reads a
page and writes it in one transaction with the shard's progress.
"""
