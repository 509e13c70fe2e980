#!/usr/bin/env bash
# Makes echarts.min.js and the licences beside it anew, from the versions in package-lock.json. Building decamp does not
# need this: what it makes is in the repository. Needs npm; installs nothing outside of a folder that it removes.
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp package.json package-lock.json echarts_entry.js "$work"
(cd "$work" && npm ci --no-audit --no-fund --loglevel=error)
from=$work/node_modules
{
    cat "$from/echarts/NOTICE"
    printf '\n\nParts of d3.js are in it:\n\n'
    cat "$from/echarts/licenses/LICENSE-d3"
    printf '\n\nZRender is in it:\n\n'
    cat "$from/zrender/LICENSE"
    printf '\n\nAnd helpers of tslib:\n\n'
    cat "$from/tslib/LICENSE.txt"
} | tr -d '\r' | sed 's/[[:space:]]*$//' >NOTICE
tr -d '\r' <"$from/echarts/LICENSE" >LICENSE
# The notices go with every page. No address in them: a page names none.
notices=$(sed -e 's, *(\?https\?://[^ )]*)\?,,g' -e 's,\*/,* /,g' NOTICE)
"$from/.bin/esbuild" "$work/echarts_entry.js" --bundle --minify --charset=ascii --format=iife --global-name=echarts \
    --define:process.env.NODE_ENV='"production"' --legal-comments=none --log-level=warning \
    --banner:js="/*! Apache ECharts, Apache License 2.0 (LICENSE-2.0)
$notices
*/" --outfile=echarts.min.js
