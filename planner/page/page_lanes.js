// What each link carries in each direction: the rates of its steps, one stacked on the other, over time.
// SPDX-License-Identifier: GPL-3.0-or-later
'use strict';

// [[from, until, bytes/s], ...] of a step.
function segmentsOf(step) {
    const out = [];
    step.rates.forEach(([from, rate], i) => {
        const until = i + 1 < step.rates.length ? step.rates[i + 1][0] : step.end;
        if (rate > 0 && until > from)
            out.push([from, until, rate]);
    });
    return out;
}

// The directions that a step sends in. With the fleet at hand they are followed from node to node; without it only the
// ends of a path have one, and links between are shown with both directions together.
function directionsOf(step) {
    let node = step.from;
    return step.path.map((name, i) => {
        const link = knownLinks.get(name);
        const from = node;
        if (link !== undefined && link.between.includes(from)) {
            node = link.between[0] === from ? link.between[1] : link.between[0];
            return {link: name, text: `${from} \u2192 ${node}`};
        }
        if (i === 0)
            return {link: name, text: `out of ${step.from}`};
        return i === step.path.length - 1 ? {link: name, text: `into ${step.to}`} : {link: name, text: 'both ways'};
    });
}

// Per direction {link, text, capacity, isKnown, bytes, parts: [{step, pieces: [[from, until, low, high]]}]}, the
// busiest first.
function stackLinks() {
    const directions = new Map();
    for (const step of steps) {
        const segments = segmentsOf(step);
        if (segments.length === 0)
            continue;
        for (const {link, text} of directionsOf(step)) {
            const key = `${link}\n${text}`;
            if (!directions.has(key))
                directions.set(key, {link, text, senders: []});
            directions.get(key).senders.push({step, segments});
        }
    }
    return [...directions.values()].map(stackOne).sort((a, b) => b.share - a.share || b.bytes - a.bytes);
}

function stackOne({link, text, senders}) {
    const events = [];
    const parts = senders.map(({step, segments}) => {
        const part = {step, pieces: [], rate: 0};
        for (const [from, until, rate] of segments)
            events.push([from, part, rate], [until, part, -rate]);
        return part;
    });
    events.sort((a, b) => a[0] - b[0]);
    let active = [], peak = 0, bytes = 0, last = 0;
    for (let i = 0; i < events.length;) {
        const now = events[i][0];
        let low = 0;
        for (const part of active) {
            addPiece(part.pieces, last, now, low, low + part.rate);
            low += part.rate;
        }
        bytes += low * (now - last) / 1e3;
        for (; i < events.length && events[i][0] === now; i++) {
            const [, part, change] = events[i];
            part.rate = Math.max(0, part.rate + change);
            if (change > 0 && !active.includes(part))
                active.push(part);
        }
        active = active.filter((part) => part.rate > 1e-3);
        peak = Math.max(peak, active.reduce((sum, part) => sum + part.rate, 0));
        last = now;
    }
    const known = knownLinks.get(link)?.usable_bytes_per_s;
    const capacity = known > 0 ? known : peak;
    return {link, text: shownText(text), name: shownText(link), capacity, isKnown: known > 0, peak, bytes, parts,
        share: bytes / (capacity * horizon / 1e3)};
}

function addPiece(pieces, from, until, low, high) {
    const before = pieces[pieces.length - 1];
    if (until <= from)
        return;
    if (before !== undefined && before[1] === from && before[2] === low && before[3] === high)
        before[1] = until;
    else
        pieces.push([from, until, low, high]);
}
