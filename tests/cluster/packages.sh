#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing: `packages.sh munge slurmd`. Says why where it cannot.
set -euo pipefail
missing=()
for package in "$@"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} = 0 ] && exit
command -v apt-get >/dev/null || { echo "missing: ${missing[*]}, and there is no apt-get to install them" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "missing: ${missing[*]}, and only root may install them" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
{ apt-get -qq update && apt-get -qq install --no-install-recommends "${missing[@]}"; } >/dev/null ||
  { echo "missing: ${missing[*]}, and apt-get cannot have them" >&2; exit 1; }
