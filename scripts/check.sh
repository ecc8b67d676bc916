#!/bin/bash
# What must hold of the sources before a test is run: types, form, and that nothing is unused or undeclared.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
PATH=$PWD/node_modules/.bin:$PATH
tsc --noEmit
biome check --error-on-warnings
knip --no-config-hints
