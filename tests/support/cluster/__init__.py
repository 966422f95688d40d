"""A Kubernetes for the tests: a control plane alone, or one with a node that runs pods.

``access`` is what a test holds, wherever the cluster came from; ``ways`` says from where. The own one is made
of ``go_programs`` and ``debian_programs``, with ``certificates`` and ``kubeconfigs`` of its own; ``guarded``
runs each program so that it ends with the tests, ``control_plane`` puts them together. ``standing`` is
``make cluster-up``.
"""
