# One image for all of it: the operator, the workers of its Jobs, and the command line.
#
#   docker build --tag practicus-mfa .
#
# A list of what is in it (CycloneDX), as sbom/practicus-mfa.cdx.json:
#   docker build --target sbom --output sbom .
#
# Where packages come through a mirror, hand pip's own configuration to the build; no layer keeps it:
#   docker build --secret id=pip,src=pip.conf --tag practicus-mfa .
#
# Two builds of one commit differ in nothing but files' times; docs/reference/image.md says how to make those equal.

FROM python:3.13-slim AS base
# Modules are compiled when the image is made: a Job's pod can't keep the result, and would compile on every start.
# The official image comes without its standard library's. Compiled modules hold their source's hash, not its time.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -x '/(ensurepip|idlelib|site-packages|test|tkinter|turtledemo)/' \
      "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

FROM base AS dependencies
WORKDIR /build
COPY requirements/build.txt requirements/run.txt ./
# pip and what builds the package stay in an environment of their own: the product's holds neither.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv tools \
 && tools/bin/pip install --no-cache-dir --no-deps --require-hashes -r build.txt \
 && python3 -m venv --without-pip /opt/practicus-mfa \
 && tools/bin/pip --python /opt/practicus-mfa/bin/python install \
      --no-cache-dir --no-compile --only-binary :all: --no-deps --require-hashes -r run.txt
# What nothing here uses, a quarter of it, before it is compiled.
COPY tools/image/leave_out.py ./
RUN python3 leave_out.py /opt/practicus-mfa/lib/python3.*/site-packages \
 && /opt/practicus-mfa/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/practicus-mfa/lib

FROM dependencies AS build
COPY LICENSE README.md pyproject.toml source/
COPY operator source/operator
# Beside the environment at first: what changes with every release becomes a layer of its own, and a small one.
# By its name, not by its file's: pip would write down from where it was installed.
RUN tools/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir wheels ./source \
 && tools/bin/pip --python /opt/practicus-mfa/bin/python install \
      --no-cache-dir --no-compile --no-deps --no-index --find-links wheels --pre --prefix /build/product \
      practicus-mfa \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -s /build/product -p /opt/practicus-mfa /build/product/lib \
 && cp -R product/. /opt/practicus-mfa \
 && tools/bin/pip --python /opt/practicus-mfa/bin/python check

FROM build AS listed
COPY requirements/sbom.txt ./
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv lister \
 && tools/bin/pip --python lister/bin/python install \
      --no-cache-dir --only-binary :all: --no-deps --require-hashes -r sbom.txt
COPY tools/image/sbom.py ./
RUN mkdir sbom && lister/bin/python sbom.py /opt/practicus-mfa sbom/practicus-mfa.cdx.json

FROM scratch AS sbom
COPY --from=listed /build/sbom /

FROM base
# libpq wants to know the name of whoever runs it. Not by useradd, which writes the day down, and keeps old files.
# The official image's pip has no place in it.
RUN echo 'practicus-mfa:x:10001:' >> /etc/group \
 && echo 'practicus-mfa:x:10001:10001::/nonexistent:/usr/sbin/nologin' >> /etc/passwd \
 && rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/site-packages/pip*
COPY --from=dependencies /opt/practicus-mfa /opt/practicus-mfa
COPY --from=build /build/product /opt/practicus-mfa
ENV PATH="/opt/practicus-mfa/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
ARG VERSION=
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="practicus-mfa" \
      org.opencontainers.image.description="Multi-factor authentication for a platform on Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# By number: Kubernetes can't tell of a name that it is not root (runAsNonRoot).
USER 10001:10001
ENTRYPOINT ["practicus-mfa"]
