#!/bin/bash
# Fills an image over a bare Debian: /opt/gpae is a clone of what is committed in /context, with the packages of its
# uv.lock, by the same `make setup` as anywhere. Run as root by gpae.def and Dockerfile.
#
#   install.sh VARIANT      cpu, or an extra of pyproject.toml: cuda12
set -euo pipefail
variant=$1

export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
# git, so that a result can name the commit that made it; tini hands a signal on to every process of a container
apt-get install --quiet --yes --no-install-recommends ca-certificates git make python3 tini
apt-get clean
rm -rf /var/lib/apt/lists/*

# the user of an image does not own what is in it, nor the builder what it is built from
git config --system --add safe.directory '*'
git clone --quiet --depth 1 file:///context /opt/gpae
cd /opt/gpae

# A proxy's own certificates are lent to the build and stay out of the image.
[ ! -s /mnt/ca.crt ] || export SSL_CERT_FILE=/mnt/ca.crt PIP_CERT=/mnt/ca.crt
# Debian's Python; modules compiled now, because an image is not written to when it runs.
export UV_PYTHON=/usr/bin/python3 UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_CACHE_DIR=/tmp/uv UV_LINK_MODE=copy
extra=
[ "$variant" = cpu ] || extra="--extra $variant"
make setup EXTRA="$extra"
rm -rf /tmp/uv
