/*
 * For the tests of the fleet document: good ones.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/* Everything the format has, once. */
static const char fleet_text_full[] =
    "{\"format\": \"decamp/fleet\", \"format_version\": \"1.0\", \"taken_unix_ms\": 1790000000000,"
    " \"hosts\": ["
    "  {\"name\": \"h1\", \"state\": \"on\", \"cpus\": 32, \"memory_bytes\": 68719476736,"
    "   \"reserved_memory_bytes\": 4294967296, \"boot_s\": 90.5, \"shutdown_s\": 20, \"idle_watts\": 100,"
    "   \"peak_watts\": 250, \"max_migrations\": 4, \"seen_unix_ms\": 1789999999000, \"freshness\": \"late\","
    "   \"cpu_features\": [\"avx2\", \"sse4\"], \"labels\": {\"rack\": \"r1\", \"zone\": \"\"}},"
    "  {\"name\": \"h2\", \"state\": \"maintenance\", \"memory_bytes\": 68719476736},"
    "  {\"name\": \"h3\", \"state\": \"off\", \"memory_bytes\": 68719476736}],"
    " \"switches\": [{\"name\": \"tor1\", \"capacity_bytes_per_s\": null},"
    "                {\"name\": \"core\", \"capacity_bytes_per_s\": 5000000000}],"
    " \"links\": ["
    "  {\"name\": \"h1-nic\", \"between\": [\"h1\", \"tor1\"], \"capacity_bytes_per_s\": 125000000,"
    "   \"goodput_frac\": 0.9, \"background_bytes_per_s\": 1000000.5},"
    "  {\"name\": \"h2-nic\", \"between\": [\"tor1\", \"h2\"], \"capacity_bytes_per_s\": 125000000},"
    "  {\"name\": \"up\", \"between\": [\"tor1\", \"core\"], \"capacity_bytes_per_s\": 1250000000},"
    "  {\"name\": \"h3-nic\", \"between\": [\"h3\", \"core\"], \"capacity_bytes_per_s\": 125000000}],"
    " \"vms\": ["
    "  {\"uuid\": \"u1\", \"name\": \"web1\", \"host\": \"h1\", \"state\": \"paused\", \"memory_bytes\": 4294967296,"
    "   \"vcpus\": 2, \"cpu_cores_used\": 0.7, \"downtime_budget_ms\": 300, \"priority\": -1.5,"
    "   \"seen_unix_ms\": 1789999999500, \"cpu_features\": [\"avx2\"], \"labels\": {\"app\": \"shop\"},"
    "   \"policy\": {\"name\": \"qemu\", \"downtime_limit_ms\": 200, \"max_bandwidth_bytes_per_s\": 134217728,"
    "                \"auto_converge\": true},"
    "   \"profile\": {\"kind\": \"curve\", \"zero_pages\": 1000, \"bursts\": ["
    "     {\"at_unix_ms\": 1789999000000, \"points\": [[0.125, 900], [0.25, 850], [1, 3000]]},"
    "     {\"at_unix_ms\": 0, \"points\": [[0.5, 10]]}]},"
    "   \"prediction\": {\"made_unix_ms\": 1789999100000, \"grid\": ["
    "     {\"bandwidth_bytes_per_s\": 50000000.25, \"migration_ms\": {\"p50\": 90000, \"p95\": 95000},"
    "      \"downtime_ms\": {\"p50\": 200, \"p95\": 260}, \"bytes\": 4500000000, \"rounds\": 5, \"converges\": false},"
    "     {\"bandwidth_bytes_per_s\": 100000000, \"migration_ms\": {\"p50\": 44000, \"p95\": 46000},"
    "      \"downtime_ms\": {\"p50\": 100, \"p95\": 130}, \"bytes\": 4400000000, \"rounds\": 4}]},"
    "   \"overhead\": {\"pre_ms\": 200, \"post_ms\": 30, \"in_flight_bytes\": 1000000, \"suspend_pages\": 12},"
    "   \"storage\": [{\"name\": \"disk0\", \"size_bytes\": 10737418240, \"local\": true,"
    "                  \"write_bytes_per_s\": 2000000}]},"
    "  {\"uuid\": \"u2\", \"host\": \"h1\", \"memory_bytes\": 1073741824, \"policy\": {\"name\": \"xen-v2\","
    "   \"max_rounds\": 7}, \"profile\": {\"kind\": \"rate\", \"pages_per_s\": 12.5, \"working_set_pages\": 4096}},"
    "  {\"uuid\": \"u3\", \"name\": \"twin\", \"host\": \"h2\", \"memory_bytes\": 1073741824,"
    "   \"profile\": {\"kind\": \"quantiles\", \"zero_pages\": 5, \"p50\": [[1, 10], [2, 15]], \"p95\": [[1, 40]]}},"
    "  {\"uuid\": \"u4\", \"name\": \"twin\", \"host\": \"h3\", \"state\": \"shutoff\", \"memory_bytes\": 1}],"
    " \"rules\": ["
    "  {\"type\": \"spread\", \"vms\": [\"u1\", \"u2\"], \"continuous\": true},"
    "  {\"type\": \"fence\", \"vms\": [\"web1\"], \"hosts\": [\"h1\", \"h3\"], \"hard\": false},"
    "  {\"type\": \"max_online\", \"hosts\": [\"h1\", \"h2\"], \"max\": 1}]}";

static const char fleet_text_minimal[] =
    "{\"format\": \"decamp/fleet\", \"format_version\": \"1.0\","
    " \"hosts\": [{\"name\": \"h1\", \"memory_bytes\": 1000}, {\"name\": \"switch\", "
    "\"memory_bytes\": 1000}],"
    " \"vms\": [{\"uuid\": \"u1\", \"host\": \"h1\", \"memory_bytes\": 10}]}";
