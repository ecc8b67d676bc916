#!/bin/bash
# Brings a Debian machine with Node to where the demo, the tests and the benchmarks run: system packages, then node packages.
# Says nothing and does nothing where all is there, and apt's lists are of this week. Run by npm before each of them; safe to run at any time.
set -Eeuo pipefail
trap 'echo "setup: stopped: line $LINENO of scripts/setup.sh ended with $?: $BASH_COMMAND" >&2' ERR
cd "$(dirname "$(readlink -f "$0")")/.."

# package, and what Suture does with it. Where a release of Debian renames one, its names are in a row with | between, the oldest first.
needs="\
gcc compiles kernel objects as Debian does: its default is what the release's own kernels are built with
make runs the kernel's own rules
patch applies the patches of rt kernels
libc6-dev compiles the programs that the kernel builds itself with
binutils assembles and links
libelf1|libelf1t64 is a library of the kernel's objtool
xz-utils unpacks packages and modules
bc counts for tables that the build of newer kernels makes
zstd unpacks packages and kernels
bzip2 unpacks kernels
lz4 unpacks kernels
qemu-system-x86 boots the stock kernel
ovmf is the firmware of one that starts by secure boot, in the tests
busybox-static is the user space of that machine
openssl signs modules
postgresql is the store of the fleet's server
kmod loads modules there as on a real machine
procps sets kernel options there
e2fsprogs makes its disks, in the tests
man-db shows the manual pages, in the tests
groff-base checks them
zsh completes the words of the command, in the tests
fish does the same"

say() { echo "setup: $*" >&2; }

# Node: what the tools of the developers need (vite, oxc). Debian 12's own is 18; its backports have none.
node_found=$(node --version 2>/dev/null || true)
IFS=. read -r node_major node_minor _ <<<"${node_found#v}"
if ! [[ $node_major =~ ^[0-9]+$ && $node_minor =~ ^[0-9]+$ ]] || ((node_major < 20 || (node_major == 20 && node_minor < 19))); then
  say "Node 20.19 or newer is needed, found ${node_found:-none}. Debian 13's own will do; on Debian 12, whose own is 18, take one of these:"
  echo "  as root: apt-get install -y --no-install-recommends npm && npm install -g node@22 && hash -r" >&2
  echo "  as root: the package nodejs of https://deb.nodesource.com (node_22.x)" >&2
  echo "  as anyone: the archive node-v22.*-linux-x64.tar.xz of https://nodejs.org/dist/latest-v22.x/, unpacked, its bin first in PATH" >&2
  exit 1
fi
if ! command -v npm >/dev/null; then
  say "npm is needed, and this Node ($node_found) came without it: as root, apt-get install -y --no-install-recommends npm"
  exit 1
fi

# The names of packages that are installed whole, for this processor.
installed_packages() {
  local architecture
  architecture=$(dpkg --print-architecture)
  dpkg-query -W -f '${Package} ${db:Status-Status} ${Architecture}\n' |
    awk -v here="$architecture" '$2 == "installed" && ($3 == here || $3 == "all") { print $1 }'
}

# Of the names of one package, separated by |, the one that apt can install here: the oldest where apt has no lists to tell.
name_here() {
  local name names
  IFS='|' read -ra names <<<"$1"
  if ((${#names[@]} > 1)); then
    for name in "${names[@]}"; do
      # All names that begin so, those of real packages only.
      if grep -qxF "$name" <<<"$(apt-cache pkgnames "$name")"; then
        echo "$name"
        return
      fi
    done
  fi
  echo "${names[0]}"
}

# Fills `missing` with the names, and `reasons` with what is said of them.
find_missing() {
  local installed names why
  missing=()
  reasons=()
  installed=$(installed_packages)
  while read -r names why; do
    if ! grep -qxF "${names//|/$'\n'}" <<<"$installed"; then
      missing+=("$names")
      reasons+=("${names%%|*} ($why)")
    fi
  done <<<"$needs"
}

# Kernels are found in apt's lists. What an image came with may be months old, and without the archive of security updates; all that is missing could
# be installed by it all the same. Whenever apt asks for its lists it writes to this folder.
lists_are_old() { [ -z "$(find /var/lib/apt/lists/partial -maxdepth 0 -mtime -7 2>/dev/null)" ]; }

missing=()
old_lists=no
if ! command -v dpkg-query >/dev/null; then
  say "this is no Debian system; install by hand what these Debian packages hold: $(cut -d' ' -f1 <<<"$needs" | tr '\n' ' ')"
else
  find_missing
  if lists_are_old; then old_lists=yes; fi
fi

as_root=()
if ((${#missing[@]} > 0)) || [ $old_lists = yes ]; then
  if [ "$(id -u)" = 0 ]; then
    as_root=(env)
  elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n env)
  fi
fi
# Another apt that is at work (unattended-upgrades on a machine just started) is waited for.
said=""
quiet() { said=$("${as_root[@]}" DEBIAN_FRONTEND=noninteractive "$@" -o DPkg::Lock::Timeout=300 </dev/null 2>&1); }

# Who may not fetch them works with the kernels that they name.
if [ $old_lists = yes ] && ((${#as_root[@]} > 0)); then
  say "fetching apt's lists, which are older than a week"
  if ! quiet apt-get update; then
    tail -n 5 <<<"$said" >&2
    say "apt could not fetch all of its lists: kernels that are found may be old"
  fi
fi

# The command that installs what is missing, under the names that it has here.
install_command() {
  local names
  echo -n "apt-get install -y --no-install-recommends"
  for names in "${missing[@]}"; do echo -n " $(name_here "$names")"; done
}

if ((${#missing[@]} > 0)); then
  list=$(printf '%s, ' "${reasons[@]}")
  list=${list%, }
  if ((${#as_root[@]} == 0)); then
    command=$(install_command)
    say "missing: $list"
    if command -v sudo >/dev/null; then
      say "neither root nor sudo without a password is possible here. Run this, or have it run by who may, then start again:"
      echo "  sudo apt-get update && sudo $command" >&2
    else
      say "only root can install them, and there is no sudo here. Have this run as root, then start again:"
      echo "  apt-get update && $command" >&2
    fi
    exit 1
  fi
  say "installing $list"
  install_missing() {
    local words
    read -ra words <<<"$(install_command)"
    quiet "${words[@]}"
  }
  # Lists may be missing, or so old that what they name is gone.
  if ! install_missing && ! { quiet apt-get update && install_missing; }; then
    tail -n 20 <<<"$said" >&2
    say "the packages could not be installed; mend what apt says above, or run this as root to see more:"
    echo "  apt-get update && $(install_command)" >&2
    exit 1
  fi
  find_missing
  if ((${#missing[@]} > 0)); then
    say "apt said that it is done, and these are still not installed: ${missing[*]}"
    exit 1
  fi
fi

stamp=node_modules/.suture-setup
if ! cmp -s package-lock.json "$stamp"; then
  say "installing the node packages of package-lock.json"
  if ! npm ci --no-audit --no-fund --loglevel=error >&2; then
    say "npm ci failed: mend what it says above (network, registry, disk space, who owns $PWD), then start again"
    exit 1
  fi
  cp package-lock.json "$stamp"
fi
