#!/bin/bash
# Brings a Debian 12 machine with Node 20 to where the demo, the tests and the benchmarks run: system packages, then node packages.
# Says nothing and does nothing where all is there. Run by npm before each of them; safe to run at any time.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

# package and what Suture does with it
needs="\
gcc-12 compiles kernel objects as Debian does
make runs the kernel's own rules
patch applies the patches of rt kernels
libc6-dev compiles the programs that the kernel builds itself with
binutils assembles and links
libelf1 is a library of the kernel's objtool
xz-utils unpacks packages and modules
zstd unpacks packages and kernels
bzip2 unpacks kernels
lz4 unpacks kernels
qemu-system-x86 boots the stock kernel
busybox-static is the user space of that machine
kmod loads modules there as on a real machine
procps sets kernel options there"

node_version=$(node --version 2>/dev/null || echo none)
case "$node_version" in
  v[0-9].* | v1[0-9].* | none)
    echo "setup: Node 20 or newer is needed, found $node_version" >&2
    exit 1
    ;;
esac

missing=()
if ! command -v dpkg-query >/dev/null; then
  echo "setup: this is no Debian system; install by hand what these Debian packages hold: $(cut -d' ' -f1 <<<"$needs" | tr '\n' ' ')" >&2
else
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null | awk '$2 == "installed" { print $1 }')
  while read -r name why; do
    grep -qx "$name" <<<"$installed" || missing+=("$name")
  done <<<"$needs"
fi

if [ ${#missing[@]} -gt 0 ]; then
  reasons=$(while read -r name why; do [[ " ${missing[*]} " == *" $name "* ]] && echo "$name ($why)"; done <<<"$needs" | paste -sd, | sed 's/,/, /g')
  install="apt-get install -y --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" = 0 ]; then
    as_root=(env)
  elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n env)
  else
    echo "setup: missing: $reasons" >&2
    echo "setup: neither root nor sudo without a password is possible here. Run this, then start again:" >&2
    echo "  sudo apt-get update && sudo $install" >&2
    exit 1
  fi
  echo "setup: installing $reasons" >&2
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  quiet() { "${as_root[@]}" DEBIAN_FRONTEND=noninteractive "$@" >>"$log" 2>&1; }
  # shellcheck disable=SC2086
  if ! ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || ! quiet $install; then
    if ! { quiet apt-get update && quiet $install; }; then
      tail -n 20 "$log" >&2
      echo "setup: the packages could not be installed; run this yourself to see why:" >&2
      echo "  apt-get update && $install" >&2
      exit 1
    fi
  fi
fi

stamp=node_modules/.suture-setup
if ! cmp -s package-lock.json "$stamp"; then
  echo "setup: installing the node packages of package-lock.json" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json "$stamp"
fi
