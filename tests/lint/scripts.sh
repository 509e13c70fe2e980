#!/usr/bin/env bash
# Runs shellcheck over every shell script, mandoc over every manual page, and the
# JSON Schemas checked against their own meta-schema.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
cd "$(dirname "$0")/../.."

shellcheck -x .ci/run tests/run.sh tests/install_packages.sh tests/lint/*.sh tests/lab/*/*.sh examples/*.sh \
    planner/export/*.sh planner/export/*.bash
for page in agent/*.8 planner/*.[18]; do
    mandoc -T lint -W warning "$page"
done
/usr/bin/python3 - proto/schema/*.json <<'PYTHON'
import json, sys
import jsonschema
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        jsonschema.Draft202012Validator.check_schema(json.load(file))
PYTHON
echo "scripts, manual pages and schemas are clean"
