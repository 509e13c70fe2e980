// The Gantt chart: rows of hosts, lanes of steps, what waits for what, and when the whole is done.
// SPDX-License-Identifier: GPL-3.0-or-later
'use strict';

const frame = {left: 170, right: 22}; // what a chart leaves beside its time axis, for names
const LANE = {most: 24, least: 7};
const MOST_WAITS = 400; // more arrows than that are a tangle: then only those of one step

const colours = {};
function readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ['card', 'text', 'quiet', 'rule', 'band', 'send', 'late', 'down', 'hop', 'cold', 'host', 'away', 'wait',
        'mark', 'on-bar', 'good', 'bad', 'before', 'behind', 'lane-1', 'lane-2', 'lane-3', 'lane-4', 'lane-5', 'lane-6'])
        colours[name] = style.getPropertyValue(`--${name}`).trim();
}

const FONT = '"DejaVu Sans", system-ui, sans-serif';
const rectOf = (x, y, width, height, style) => ({type: 'rect', shape: {x, y, width, height}, style});

function colourOf(step) {
    if (step.isHost)
        return colours.host;
    return step.raw.hop ? colours.hop : step.raw.action === 'cold_migrate' ? colours.cold : colours.send;
}

// The part of a bar that is in view, so that its name can stand there.
function clipped(x, width, area) {
    const left = Math.max(x, area.x), right = Math.min(x + width, area.x + area.width);
    return [left, right - left];
}

function renderBar(params, api) {
    const step = gantt.shown[params.dataIndex];
    const area = params.coordSys;
    const [x, y] = api.coord([step.start, step.lane]).map(Math.round);
    const [end, bottom] = api.coord([step.end, step.lane + 1]).map(Math.round);
    const [median] = api.coord([step.median, 0]).map(Math.round);
    const gap = bottom - y > 14 ? 2 : bottom - y > 6 ? 1 : 0;
    const top = y + gap, height = Math.max(1, bottom - y - 2 * gap), width = end - x > 3 ? end - x - 1 : Math.max(1, end - x); // a line between bars
    const scale = area.width / (view.until - view.from);
    const children = [rectOf(x, top, width, height, {fill: step.isHost ? colours.host : colours.late})];
    if (!step.isHost)
        children.push(rectOf(x, top, Math.max(1, Math.min(median - x, width)), height, {fill: colourOf(step)}));
    if (step.downtime > 0) {
        const down = Math.min(width, Math.max(width > 8 ? 2 : 0, Math.round(step.downtime * scale)));
        children.push(rectOf(x + width - down, top, down, height, {fill: colours.down}));
    }
    if (step.raw.hop)
        children.push(rectOf(x, top, width, height, {fill: 'none', stroke: colours.mark, lineDash: [3, 2], lineWidth: 1}));
    const [left, room] = clipped(x, width, area);
    if (height >= 10 && room > 40)
        children.push({type: 'text', silent: true, style: {text: step.name, x: left + 4, y: top + height / 2,
            verticalAlign: 'middle', fill: colours['on-bar'], font: `${Math.min(12, height - 1)}px ${FONT}`, width: room - 8,
            overflow: 'truncate', ellipsis: '\u2026'}});
    return {type: 'group', children};
}

function renderRow(params, api) {
    const row = gantt.rows[params.dataIndex];
    const area = params.coordSys;
    const top = Math.max(area.y, api.coord([0, row.first - 0.25])[1]);
    const bottom = Math.min(area.y + area.height, api.coord([0, row.end + 0.25])[1]);
    if (bottom - top < 1)
        return null;
    const children = [rectOf(0, top, area.x + area.width, bottom - top,
        {fill: params.dataIndex % 2 === 0 ? colours.band : colours.card})];
    if (bottom - top >= 10)
        children.push({type: 'text', style: {text: row.name, x: area.x - 8, y: (top + bottom) / 2, align: 'right',
            verticalAlign: 'middle', fill: colours.text, font: `12px ${FONT}`, width: frame.left - 16, overflow: 'truncate',
            ellipsis: '\u2026'}});
    return {type: 'group', silent: true, children};
}

function renderAway(params, api) {
    const away = gantt.aways[params.dataIndex];
    const [x, y] = api.coord([away.off_ms, away.row.first]);
    const [end, bottom] = api.coord([away.on_ms, away.row.end]);
    const children = [rectOf(x, y, end - x, bottom - y, {fill: colours.away})];
    const [idle] = api.coord([away.idle_ms, 0]), [boots] = api.coord([away.boots_ms, 0]);
    const [left, room] = clipped(idle, boots - idle, params.coordSys);
    if (bottom - y >= 10 && room > 50)
        children.push({type: 'text', style: {text: `away, group ${away.group}`, x: left + room / 2, y: (y + bottom) / 2,
            align: 'center', verticalAlign: 'middle', fill: colours.text, font: `11px ${FONT}`, width: room - 8,
            overflow: 'truncate', ellipsis: '\u2026'}});
    return {type: 'group', silent: true, children};
}

// From the end of one bar to the start of another, with a head.
function arrow(from, to, colour, isDashed, width) {
    const [x1, y1] = from, [x2, y2] = to;
    const bend = Math.max(6, Math.min(40, Math.abs(x2 - x1) / 2));
    const line = {type: 'bezierCurve', shape: {x1, y1, x2: x2 - 4, y2, cpx1: x1 + bend, cpy1: y1, cpx2: x2 - bend - 4, cpy2: y2},
        style: {stroke: colour, fill: 'none', lineWidth: width, lineDash: isDashed ? [4, 3] : null}};
    const head = {type: 'polygon', shape: {points: [[x2, y2], [x2 - 6, y2 - 3.5], [x2 - 6, y2 + 3.5]]},
        style: {fill: colour}};
    return [line, head];
}

function renderWait(params, api) {
    const [before, step, isLeg] = gantt.waits[params.dataIndex];
    return {type: 'group', silent: true, children: arrow(api.coord([before.end, before.lane + 0.5]),
        api.coord([step.start, step.lane + 0.5]), isLeg ? colours.hop : colours.wait, isLeg, isLeg ? 1.5 : 1)};
}

// Lines over all rows: the moments that the verdict is about, each with its label below, one above the other.
function renderMark(params, api) {
    const mark = gantt.marks[params.dataIndex];
    const area = params.coordSys;
    const x = api.coord([mark.at, 0])[0];
    if (x < area.x - 0.5 || x > area.x + area.width + 0.5)
        return null;
    const y = area.y + area.height + 8 + 13 * params.dataIndex;
    const onLeft = x > area.x + 220;
    return {type: 'group', silent: true, children: [
        {type: 'line', shape: {x1: x, y1: area.y, x2: x, y2: y}, style: {stroke: mark.colour(), lineWidth: 1, lineDash: mark.dash}},
        {type: 'text', style: {text: mark.text, x: onLeft ? x - 5 : x + 5, y, align: onLeft ? 'right' : 'left',
            verticalAlign: 'middle', fill: mark.colour(), font: `11px ${FONT}`}}]};
}

function makeMarks() {
    const marks = [];
    if (steps.length === 0)
        return marks;
    if (plan.gap_frac !== null && plan.lower_bound_ms > 0)
        marks.push({at: plan.lower_bound_ms, text: `no plan is done before ${formatDuration(plan.lower_bound_ms)}`,
            colour: () => colours.good, dash: [2, 3]});
    const [median, late] = [makespan.p50, makespan.p95].map(formatDuration);
    if (median !== late)
        marks.push({at: makespan.p50, text: `done, p50: ${median}`, colour: () => colours.mark, dash: [6, 3]});
    marks.push({at: makespan.p95, text: `done, ${median === late ? 'p50 and ' : ''}p95: ${late}`, colour: () => colours.mark,
        dash: [2, 2]});
    if (plan.goal?.deadline_ms > 0 && plan.goal.deadline_ms <= horizon)
        marks.push({at: plan.goal.deadline_ms, text: `deadline ${formatDuration(plan.goal.deadline_ms)}`,
            colour: () => colours.bad, dash: null});
    return marks;
}

const gantt = {chart: null, shown: [], rows: [], nLanes: 0, aways: [], waits: [], marks: makeMarks(), height: 0};

// Bars that follow each other in one lane, or a host that goes and comes back, need no arrow.
const isPlain = (before, step) => (before.isHost && step.isHost && before.to === step.to) ||
    (before.lane === step.lane && step.start - before.end < horizon / 100);

// What is to be drawn, from what is found and by which host it is sorted.
function layGantt() {
    gantt.shown = steps.filter(isFound);
    const {rows, nLanes} = packRows(gantt.shown);
    gantt.rows = rows;
    gantt.nLanes = Math.max(1, nLanes);
    const rowOf = new Map(rows.map((row) => [row.host, row]));
    gantt.aways = aways.filter((away) => rowOf.has(away.host)).map((away) => {
        const own = steps.filter((step) => step.isHost && step.to === away.host);
        return {...away, row: rowOf.get(away.host),
            idle_ms: Math.max(away.off_ms, ...own.filter((s) => s.raw.action === 'shutdown' && s.end < away.on_ms).map((s) => s.end)),
            boots_ms: Math.min(away.on_ms, ...own.filter((s) => s.raw.action === 'boot' && s.start > away.off_ms).map((s) => s.start))};
    });
    const found = new Set(gantt.shown);
    gantt.waits = legs.filter(([a, b]) => found.has(a) && found.has(b)).map(([a, b]) => [a, b, true]);
    if (view.waits)
        gantt.waits.push(...gantt.shown.flatMap((step) => step.after.filter((before) => found.has(before) && !isPlain(before, step))
            .map((before) => [before, step, false])));
    const room = Math.max(240, Math.min(620, window.innerHeight * 0.66));
    const lane = Math.max(LANE.least, Math.min(LANE.most, room / gantt.nLanes));
    gantt.height = Math.min(room, lane * gantt.nLanes);
    gantt.fits = lane * gantt.nLanes <= room + 1;
    gantt.lanesInView = gantt.fits ? gantt.nLanes : gantt.height / lane;
}

// Between two lines of the time axis, such that people count it easily.
const TICKS_MS = [100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3, 3600e3, 7200e3,
    14400e3, 21600e3, 43200e3];
const tickOf = (span) => TICKS_MS.find((tick) => span / tick <= 10) ?? 86400e3 * Math.ceil(span / 864000e3);

const formatTick = (ms) => formatClock(ms, tickOf(view.until - view.from) < 1000 ? 1 : 0);

const timeAxis = () => ({type: 'value', id: 'time', min: 0, max: horizon, z: 1, interval: tickOf(view.until - view.from),
    position: 'top', axisLine: {show: false}, axisTick: {show: false},
    axisLabel: {color: colours.quiet, hideOverlap: true, showMaxLabel: false,
        formatter: formatTick},
    splitLine: {lineStyle: {color: colours.rule}}});

const sliderStyle = () => ({borderColor: colours.rule, fillerColor: 'rgba(90, 140, 210, 0.18)', backgroundColor: 'transparent',
    handleStyle: {color: colours.card, borderColor: colours.quiet}, moveHandleStyle: {color: colours.rule},
    textStyle: {color: colours.quiet}, showDataShadow: false, brushSelect: false});

// Time by the slider and Ctrl with the wheel; rows, where not all fit, by the wheel and a slider at the side.
function zooms(rowsInView, nRows, bottom) {
    const fits = rowsInView >= nRows;
    const time = {xAxisIndex: 0, filterMode: 'weakFilter', minValueSpan: Math.min(horizon, 200)};
    const list = [
        {type: 'inside', id: 'time', ...time, zoomOnMouseWheel: 'ctrl', moveOnMouseMove: true, moveOnMouseWheel: false,
            startValue: view.from, endValue: view.until},
        {type: 'slider', id: 'time-slider', ...time, ...sliderStyle(), height: 16, bottom, left: frame.left, right: frame.right,
            labelFormatter: (ms) => formatClock(ms, 1), startValue: view.from, endValue: view.until}];
    if (!fits)
        list.push({type: 'inside', id: 'rows', yAxisIndex: 0, filterMode: 'weakFilter', zoomOnMouseWheel: false,
            moveOnMouseWheel: true, moveOnMouseMove: true, startValue: 0, endValue: rowsInView},
        {type: 'slider', id: 'rows-slider', yAxisIndex: 0, filterMode: 'weakFilter', ...sliderStyle(), width: 12, right: 4,
            showDetail: false, startValue: 0, endValue: rowsInView});
    return list;
}

const custom = (id, renderItem, data, encode, more) => ({type: 'custom', id, renderItem, data, encode, clip: true, progressive: 0,
    animation: false, ...more});
const SPAN = {x: [0, 1], y: [2, 3]};

function drawGantt() {
    gantt.chart.clear(); // what it has is of another layout
    layGantt();
    const marksHeight = 13 * gantt.marks.length + 8;
    document.getElementById('gantt').style.height = `${gantt.height + 30 + marksHeight + 34}px`;
    gantt.chart.resize();
    gantt.chart.setOption({
        animation: false, textStyle: {fontFamily: FONT},
        grid: {left: frame.left, right: frame.right, top: 30, height: gantt.height},
        xAxis: timeAxis(),
        yAxis: {type: 'value', min: 0, max: gantt.nLanes, inverse: true, show: false},
        dataZoom: zooms(gantt.lanesInView, gantt.nLanes, 6),
        series: [
            custom('rows', renderRow, gantt.rows.map((row) => [0, horizon, row.first, row.end]), SPAN, {clip: false, z: 0, silent: true}),
            custom('aways', renderAway, gantt.aways.map((a) => [a.off_ms, a.on_ms, a.row.first, a.row.end]), SPAN, {z: 1, silent: true}),
            custom('bars', renderBar, gantt.shown.map((s) => [s.start, s.end, s.lane, s.lane + 1]), SPAN, {z: 2}),
            custom('waits', renderWait, gantt.waits.length > MOST_WAITS + legs.length ? [] : gantt.waits.map(([a, b]) =>
                [Math.min(a.end, b.start), Math.max(a.end, b.start), Math.min(a.lane, b.lane), Math.max(a.lane, b.lane)]),
            SPAN, {z: 3, silent: true}),
            custom('marks', renderMark, gantt.marks.map((mark) => [mark.at, mark.at, 0, gantt.nLanes]), SPAN,
                {clip: false, z: 4, silent: true}),
        ],
    }, {notMerge: true});
}
