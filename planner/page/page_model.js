// The plan as the page's charts need it: steps with what waits for them, rows of hosts, and figures as people read them.
// SPDX-License-Identifier: GPL-3.0-or-later
'use strict';

const plan = JSON.parse(document.getElementById('plan').textContent);
const network = JSON.parse(document.getElementById('network').textContent);
const knownLinks = new Map(Object.entries(network.links));
const knownVms = new Map(Object.entries(network.vms));

// What draws nothing, ends a line or turns the direction of text is shown by its number (html_text.c has the same).
const HIDDEN = new RegExp('[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u200b-\\u200f\\u2028-\\u202e' +
    '\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb]', 'g');
const shownText = (text) => String(text).replace(HIDDEN,
    (c) => `[U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`);

// --- figures, as the table has them ---

function formatScaled(value, units, base) {
    let i = 0;
    for (; i + 1 < units.length && Math.abs(value) >= base * 0.9995; i++)
        value /= base;
    const digits = i === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    return `${value.toFixed(digits)} ${units[i]}`;
}

const formatBytes = (bytes) => formatScaled(bytes, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'], 1024);
const formatRate = (rate) => formatScaled(rate * 8, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'], 1000);

function formatDuration(ms) {
    if (ms < 999.5)
        return `${ms.toFixed(0)} ms`;
    if (ms < 59950)
        return `${(ms / 1e3).toFixed(1)} s`;
    const unit = ms < 3599500 ? 1e3 : 60e3;
    const n = Math.round(ms / unit);
    const rest = String(n % 60).padStart(2, '0');
    return `${Math.floor(n / 60)} ${unit === 1e3 ? 'min' : 'h'} ${rest} ${unit === 1e3 ? 's' : 'min'}`;
}

// A moment of the plan: "1:23.4", with so many digits behind the point.
function formatClock(ms, digits) {
    const scale = 10 ** digits;
    const n = Math.round(ms / 1e3 * scale);
    const seconds = ((n / scale) % 60).toFixed(digits).padStart(digits > 0 ? 3 + digits : 2, '0');
    const minutes = Math.floor(n / scale / 60);
    return minutes < 60 ? `${minutes}:${seconds}`
        : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${seconds}`;
}

// --- steps ---

const ACTIONS = new Map([['migrate', 'migration'], ['cold_migrate', 'move while shut off'], ['boot', 'boot'],
    ['shutdown', 'shutdown']]);

function makeStep(raw) {
    const isHost = raw.action === 'boot' || raw.action === 'shutdown';
    const from = raw.from ?? raw.to ?? '';
    const to = raw.to ?? raw.from ?? '';
    const name = isHost ? `${raw.action} ${to}` : raw.vm_name ?? raw.vm ?? '';
    const median = isHost || raw.migration_ms.p95 <= 0 ? raw.end_ms
        : raw.end_ms - Math.max(0, raw.migration_ms.p95 - raw.migration_ms.p50);
    return {
        id: raw.id, raw, isHost, from, to, name: shownText(name), start: raw.start_ms,
        end: Math.max(raw.end_ms, raw.start_ms), median: Math.max(median, raw.start_ms),
        downtime: isHost ? 0 : raw.downtime_ms.p95, rates: raw.rates ?? [], path: raw.path ?? [],
        after: [], behind: [], lane: 0,
        words: [name, raw.vm ?? '', from, to, String(raw.id)].join('\n').toLowerCase(),
    };
}

const steps = plan.steps.map(makeStep);
const stepOfId = new Map(steps.map((step) => [step.id, step]));
for (const step of steps) {
    for (const id of step.raw.after ?? []) {
        const before = stepOfId.get(id);
        if (before !== undefined) {
            step.after.push(before);
            before.behind.push(step);
        }
    }
}

// Legs of one VM's way: the hop, and where it goes on from there.
const legs = [];
{
    const parked = new Map();
    for (const step of [...steps].sort((a, b) => a.start - b.start)) {
        if (step.isHost)
            continue;
        if (parked.has(step.raw.vm))
            legs.push([parked.get(step.raw.vm), step]);
        parked.delete(step.raw.vm);
        if (step.raw.hop)
            parked.set(step.raw.vm, step);
    }
}

// Hosts that are away for their maintenance, with their group.
const aways = (plan.choice?.hosts ?? []).filter((host) => host.group !== undefined);

const makespan = plan.makespan_ms ?? {p50: 0, p95: 0};
const horizon = Math.max(1, makespan.p50, makespan.p95, plan.goal?.deadline_ms <= 1.5 * makespan.p95 ?
    plan.goal.deadline_ms : 0, ...[steps.reduce((most, step) => Math.max(most, step.end), 0)]);

// What the page shows at the moment.
const view = {by: 'to', query: '', waits: false, steps, from: 0, until: horizon, focus: null, marked: null};

const isFound = (step) => view.query === '' || step.words.includes(view.query);

const byName = new Intl.Collator('en', {numeric: true}).compare;

// Rows of hosts: each as many lanes as steps overlap. Sets the steps' lanes; returns {rows, nLanes}.
function packRows(shown) {
    const ofHost = new Map();
    for (const step of shown) {
        const host = step[view.by];
        if (!ofHost.has(host))
            ofHost.set(host, []);
        ofHost.get(host).push(step);
    }
    let lane = 0;
    const rows = [...ofHost].sort((a, b) => byName(a[0], b[0])).map(([host, own]) => {
        const ends = [];
        const first = lane;
        for (const step of own.sort((a, b) => a.start - b.start || a.id - b.id)) {
            let i = ends.findIndex((end) => end <= step.start);
            if (i < 0)
                i = ends.length;
            ends[i] = step.end;
            step.lane = first + i;
        }
        lane = first + ends.length + 0.5;
        return {host, name: shownText(host), first, end: first + ends.length};
    });
    return {rows, nLanes: lane};
}
