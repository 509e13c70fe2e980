// What the page does: draws, follows the pointer, filters, zooms, and changes between light and dark.
// SPDX-License-Identifier: GPL-3.0-or-later
'use strict';

const byId = (id) => document.getElementById(id);
const tableRows = new Map(); // by the steps' ids; filled once the table, which comes after the charts, is there

function element(tag, text) {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
}

// --- the pointer ---

const namesOf = (list) => list.length === 0 ? '' : list.slice(0, 6).map((step) => `${step.id} ${step.name}`).join(', ') +
    (list.length > 6 ? ` and ${list.length - 6} more` : '');

function figuresOf(step) {
    const raw = step.raw, vm = knownVms.get(raw.vm);
    const band = (q) => formatDuration(q.p50) === formatDuration(q.p95) ? formatDuration(q.p95)
        : `${formatDuration(q.p50)} (p50), ${formatDuration(q.p95)} (p95)`;
    const figures = [['step', `${step.id}: ${raw.hop ? 'hop' : ACTIONS.get(raw.action)}`],
        [step.isHost ? 'host' : 'from, to', step.isHost ? shownText(step.to) : `${shownText(step.from)} \u2192 ${shownText(step.to)}`],
        ['when', `${formatClock(step.start, 1)} to ${formatClock(step.end, 1)}`]];
    if (!step.isHost) {
        figures.push(['takes', band(raw.migration_ms)]);
        if (raw.action === 'migrate')
            figures.push(['downtime', band(raw.downtime_ms) +
                (vm?.downtime_budget_ms > 0 ? ` of ${formatDuration(vm.downtime_budget_ms)} allowed` : '')]);
        if (vm !== undefined)
            figures.push(['memory', formatBytes(vm.memory_bytes)]);
        figures.push(['sends', `${formatBytes(raw.bytes)}, at first at ${formatRate(raw.bandwidth_bytes_per_s)}`]);
        figures.push(['over', step.path.map(shownText).join(', ')]);
    }
    if (raw.delay_ms > 0)
        figures.push(['begins', `${formatDuration(raw.delay_ms)} after what it waits for`]);
    if (raw.not_before_ms > 0)
        figures.push(['not before', formatClock(raw.not_before_ms, 1)]);
    figures.push(['waits for', namesOf(step.after) || 'no other step']);
    figures.push(['waited for by', namesOf(step.behind) || 'no other step']);
    return figures;
}

function showTip(step, x, y) {
    const tip = byId('tip'), list = document.createElement('dl');
    for (const [label, text] of figuresOf(step))
        list.append(element('dt', label), element('dd', text));
    tip.replaceChildren(element('b', step.name), list);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${x + 16 + box.width < window.innerWidth ? x + 16 : Math.max(4, x - 16 - box.width)}px`;
    tip.style.top = `${Math.max(4, Math.min(y + 12, window.innerHeight - box.height - 8))}px`;
}

// --- what one step has to do with: outlines and arrows over the charts ---

const overlays = new Map();

function overlayOf(chart) {
    const area = chart.getModel().getComponent('grid').coordinateSystem.getRect();
    overlays.get(chart)?.removeAll();
    const group = overlays.get(chart) ?? new echarts.graphic.Group({silent: true});
    if (!overlays.has(chart)) {
        overlays.set(chart, group);
        chart.getZr().add(group);
    }
    group.setClipPath(new echarts.graphic.Rect({shape: {x: area.x, y: area.y, width: area.width, height: area.height}}));
    return group;
}

function outlineGantt(group, step, colour) {
    if (!gantt.shown.includes(step))
        return;
    const [x, y] = gantt.chart.convertToPixel('grid', [step.start, step.lane]);
    const [end, bottom] = gantt.chart.convertToPixel('grid', [step.end, step.lane + 1]);
    group.add(new echarts.graphic.Rect({z: 20, silent: true, shape: {x: x - 1, y, width: Math.max(2, end - x) + 2, height: bottom - y},
        style: {fill: 'none', stroke: colour, lineWidth: 2}}));
}

function addArrow(group, before, step, colour) {
    if (!gantt.shown.includes(before) || !gantt.shown.includes(step))
        return;
    const point = (at, lane) => gantt.chart.convertToPixel('grid', [at, lane + 0.5]);
    for (const part of arrow(point(before.end, before.lane), point(step.start, step.lane), colour, false, 2)) {
        const Shape = part.type === 'polygon' ? echarts.graphic.Polygon : echarts.graphic.BezierCurve;
        group.add(new Shape({z: 21, silent: true, shape: part.shape, style: part.style}));
    }
}

function outlineLinks(group, step) {
    for (const {row, index, part} of links.data) {
        if (part.step !== step)
            continue;
        const first = part.pieces[0], last = part.pieces[part.pieces.length - 1];
        const [x, top] = links.chart.convertToPixel('grid', [first[0], index + 1 - levelOf(row, Math.max(...part.pieces.map((p) => p[3])))]);
        const [end, base] = links.chart.convertToPixel('grid', [last[1], index + 1 - levelOf(row, Math.min(...part.pieces.map((p) => p[2])))]);
        group.add(new echarts.graphic.Rect({z: 20, silent: true, shape: {x: x - 1, y: top - 1, width: end - x + 2, height: base - top + 2},
            style: {fill: 'none', stroke: colours.text, lineWidth: 2}}));
    }
}

function drawFocus() {
    const step = view.focus ?? view.marked;
    const over = overlayOf(gantt.chart), below = overlayOf(links.chart);
    if (step === null)
        return;
    outlineGantt(over, step, colours.text);
    for (const before of step.after) {
        outlineGantt(over, before, colours.before);
        addArrow(over, before, step, colours.before);
    }
    for (const behind of step.behind) {
        outlineGantt(over, behind, colours.behind);
        addArrow(over, step, behind, colours.behind);
    }
    outlineLinks(below, step);
}

function setFocus(step) {
    if (view.focus === step)
        return;
    view.focus = step;
    drawFocus();
}

function setMarked(step) {
    if (view.marked !== null)
        tableRows.get(view.marked.id)?.classList.remove('marked');
    view.marked = view.marked === step ? null : step;
    const row = view.marked === null ? undefined : tableRows.get(view.marked.id);
    row?.classList.add('marked');
    drawFocus();
    return row;
}

function follow(chart, seriesId, stepAt) {
    chart.on('mousemove', {seriesId}, (event) => {
        const step = stepAt(event.dataIndex);
        setFocus(step);
        showTip(step, event.event.event.clientX, event.event.event.clientY);
    });
    chart.on('mouseout', {seriesId}, () => {
        byId('tip').hidden = true;
        setFocus(null);
    });
    chart.on('click', {seriesId}, (event) => setMarked(stepAt(event.dataIndex))?.scrollIntoView({block: 'nearest'}));
}

// --- time ---

function setTime(from, until) {
    const span = Math.max(Math.min(horizon, 200), Math.min(horizon, until - from));
    view.from = Math.max(0, Math.min(from, horizon - span));
    view.until = view.from + span;
    for (const chart of [gantt.chart, links.chart])
        chart.dispatchAction({type: 'dataZoom', dataZoomId: 'time', startValue: view.from, endValue: view.until});
}

function zoomBy(factor) {
    const middle = (view.from + view.until) / 2, half = (view.until - view.from) / 2 * factor;
    setTime(middle - half, middle + half);
}

// Both charts show the same time; what one is told the other is told, once.
function tie(chart, other) {
    chart.on('datazoom', () => {
        const zoom = chart.getOption().dataZoom.find((z) => z.id === 'time');
        if (zoom.startValue !== view.from || zoom.endValue !== view.until) {
            view.from = zoom.startValue;
            view.until = zoom.endValue;
            other.dispatchAction({type: 'dataZoom', dataZoomId: 'time', startValue: view.from, endValue: view.until});
        }
        if (chart.getOption().xAxis[0].interval !== tickOf(view.until - view.from))
            chart.setOption({xAxis: {id: 'time', interval: tickOf(view.until - view.from)}});
        drawFocus();
    });
}

// --- the table ---

function filterTable() {
    for (const [id, row] of tableRows)
        row.hidden = !isFound(stepOfId.get(id));
}

function bindTable() {
    for (const row of document.querySelectorAll('#steps tbody tr'))
        tableRows.set(Number(row.cells[0].textContent), row);
    byId('steps')?.tBodies[0].addEventListener('click', (event) => {
        const row = event.target.closest('tr');
        const step = stepOfId.get(Number(row.cells[0].textContent));
        if (step !== undefined)
            setMarked(step);
    });
    filterTable();
}

// --- everything ---

function draw() {
    if (gantt.chart === null)
        return;
    readColours();
    frame.left = Math.max(80, Math.min(170, byId('gantt').clientWidth * 0.16));
    drawGantt();
    drawLinks();
    drawFocus();
    filterTable();
    const n = gantt.shown.length;
    byId('shown').textContent = view.query === '' ? `${steps.length} steps` : `${n} of ${steps.length} steps`;
}

function explainLinks() {
    const rows = links.all, known = rows.filter((row) => row.isKnown).length;
    byId('links-note').textContent = rows.length === 0 ? 'Nothing is sent.'
        : (known === rows.length ? 'Each colour is a migration, as high as its share; the dashed line is what the link leaves to migrations.'
            : 'Each colour is a migration, as high as its share; the dashed line is the most that this plan sends there (capacities are in the fleet document: --fleet).') +
        ' Busiest first.';
}

function fillLegend() {
    const has = {hop: steps.some((s) => s.raw.hop), cold: steps.some((s) => s.raw.action === 'cold_migrate'),
        host: steps.some((s) => s.isHost), away: aways.length > 0, waits: view.waits};
    for (const item of byId('gantt-legend').children) {
        if (item.dataset.kind !== undefined)
            item.hidden = !has[item.dataset.kind];
    }
}

const THEMES = ['system', 'light', 'dark'];

function setTheme(theme) {
    const isDark = theme === 'dark' || (theme === 'system' && window.matchMedia('(prefers-color-scheme: dark)').matches);
    document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
    byId('theme').textContent = `Theme: ${theme}`;
    byId('theme').dataset.choice = theme;
}

function pressBy(by) {
    view.by = by;
    byId('by-to').setAttribute('aria-pressed', String(by === 'to'));
    byId('by-from').setAttribute('aria-pressed', String(by === 'from'));
    draw();
}

// The last of what comes in quick succession, when it has ended.
function late(what) {
    let timer = 0;
    return (event) => {
        clearTimeout(timer);
        timer = setTimeout(() => what(event), 120);
    };
}

function listen() {
    byId('by-to').addEventListener('click', () => pressBy('to'));
    byId('by-from').addEventListener('click', () => pressBy('from'));
    byId('zoom-in').addEventListener('click', () => zoomBy(0.5));
    byId('zoom-out').addEventListener('click', () => zoomBy(2));
    byId('zoom-reset').addEventListener('click', () => setTime(0, horizon));
    byId('waits').addEventListener('change', (event) => {
        view.waits = event.target.checked;
        fillLegend();
        draw();
    });
    byId('filter').addEventListener('input', late((event) => {
        view.query = event.target.value.trim().toLowerCase();
        draw();
    }));
    byId('theme').addEventListener('click', () => {
        setTheme(THEMES[(THEMES.indexOf(byId('theme').dataset.choice) + 1) % THEMES.length]);
        draw();
    });
    window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
        setTheme(byId('theme').dataset.choice);
        draw();
    });
    window.addEventListener('resize', late(draw));
    document.addEventListener('DOMContentLoaded', bindTable);
    let before = 'light';
    window.addEventListener('beforeprint', () => {
        before = document.documentElement.dataset.theme;
        document.documentElement.dataset.theme = 'light';
        draw();
    });
    window.addEventListener('afterprint', () => {
        document.documentElement.dataset.theme = before;
        draw();
    });
}

function start() {
    document.documentElement.classList.add('scripts');
    setTheme('system');
    listen();
    if (steps.length === 0) {
        byId('figures').hidden = true;
        return;
    }
    const nWaits = steps.reduce((sum, step) => sum + step.after.length, 0);
    view.waits = nWaits > 0 && nWaits <= 60;
    byId('waits').checked = view.waits;
    gantt.chart = echarts.init(byId('gantt'), null, {renderer: 'canvas'});
    links.chart = echarts.init(byId('links'), null, {renderer: 'canvas'});
    follow(gantt.chart, 'bars', (index) => gantt.shown[index]);
    follow(links.chart, 'parts', (index) => links.data[index].part.step);
    tie(gantt.chart, links.chart);
    tie(links.chart, gantt.chart);
    explainLinks();
    fillLegend();
    draw();
}

start();
// After the next picture that the browser shows: for those who measure it.
requestAnimationFrame(() => setTimeout(() => {
    document.documentElement.dataset.drawnMs = String(Math.round(performance.now()));
}));
