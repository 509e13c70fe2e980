// The links chart: a row a direction of a link, its migrations stacked against what it can carry.
// SPDX-License-Identifier: GPL-3.0-or-later
'use strict';

const LINK_ROW = {most: 54, least: 26};

const links = {chart: null, all: stackLinks(), rows: [], data: []};

// Height above a row's base of a rate, as a part of the row: its capacity at 0.8.
const levelOf = (row, rate) => 0.8 * rate / Math.max(row.capacity, row.peak);

function renderLinkRow(params, api) {
    const row = links.rows[params.dataIndex];
    const area = params.coordSys;
    const [x0, base] = api.coord([0, params.dataIndex + 1]);
    const top = api.coord([0, params.dataIndex])[1];
    if (base < area.y || top > area.y + area.height)
        return null;
    const full = base - levelOf(row, row.capacity) * (base - top);
    const line = (y, style) => ({type: 'line', shape: {x1: area.x, x2: area.x + area.width, y1: y, y2: y}, style});
    const text = (words, y, fill, font) => ({type: 'text', style: {text: words, x: area.x - 8, y, align: 'right',
        verticalAlign: 'middle', fill, font, width: frame.left - 14, overflow: 'truncate', ellipsis: '\u2026'}});
    const children = [line(base, {stroke: colours.rule, lineWidth: 1})];
    if (full >= area.y && full <= area.y + area.height)
        children.push(line(full, {stroke: row.isKnown ? colours.mark : colours.quiet, lineWidth: 1, lineDash: [4, 3], opacity: 0.6}));
    const isTall = base - top >= 44;
    const used = `${formatRate(row.capacity)}${row.isKnown ? '' : ' at most'}, ${(100 * row.share).toFixed(0)} % used`;
    const words = isTall ? [[row.name, colours.text], [row.text, colours.text], [used, colours.quiet]]
        : [[`${row.name}  ${row.text}`, colours.text]];
    words.forEach(([what, colour], i) => {
        const y = (base + top) / 2 + 4 + 13 * (i - (words.length - 1) / 2);
        if (y > area.y && y < area.y + area.height)
            children.push(text(what, y, colour, `11px ${FONT}`));
    });
    return x0 === undefined ? null : {type: 'group', silent: true, children};
}

const laneColour = (step) => colours[`lane-${1 + step.id % 6}`];

function renderPart(params, api) {
    const {row, index, part} = links.data[params.dataIndex];
    const points = [], back = [];
    for (const [from, until, low, high] of part.pieces) {
        const y = (rate) => api.coord([0, index + 1 - levelOf(row, rate)])[1];
        const x1 = api.coord([from, 0])[0], x2 = Math.max(x1 + 0.7, api.coord([until, 0])[0]);
        points.push([x1, y(high)], [x2, y(high)]);
        back.unshift([x2, y(low)], [x1, y(low)]);
    }
    const isOver = part.pieces.some(([, , , high]) => high > row.capacity * 1.001);
    return {type: 'polygon', shape: {points: [...points, ...back]}, style: {
        fill: isOver ? colours.bad : laneColour(part.step), opacity: isFound(part.step) ? 1 : 0.15,
        stroke: colours.card, lineWidth: 0.5}};
}

function layLinks() {
    links.rows = links.all.filter((row) => view.query === '' || row.parts.some((part) => isFound(part.step)));
    links.data = links.rows.flatMap((row, index) => row.parts.filter((part) => part.pieces.length > 0)
        .map((part) => ({row, index, part})));
    const room = Math.max(200, Math.min(440, window.innerHeight * 0.5));
    const n = Math.max(1, links.rows.length);
    const height = Math.max(LINK_ROW.least, Math.min(LINK_ROW.most, room / n));
    links.height = Math.min(room, height * n);
    links.inView = height * n <= room + 1 ? n : room / height;
}

function drawLinks() {
    links.chart.clear();
    layLinks();
    document.getElementById('links').style.height = `${links.height + 30 + 34}px`;
    links.chart.resize();
    const n = Math.max(1, links.rows.length);
    links.chart.setOption({
        animation: false, textStyle: {fontFamily: FONT},
        grid: {left: frame.left, right: frame.right, top: 30, height: links.height},
        xAxis: timeAxis(),
        yAxis: {type: 'value', min: 0, max: n, inverse: true, show: false},
        dataZoom: zooms(links.inView, n, 6),
        series: [
            custom('rows', renderLinkRow, links.rows.map((row, i) => [0, horizon, i, i + 1]), SPAN, {clip: false, z: 3, silent: true}),
            custom('parts', renderPart, links.data.map(({index, part}) => [part.pieces[0][0],
                part.pieces[part.pieces.length - 1][1], index, index + 1]), SPAN, {z: 2}),
        ],
    }, {notMerge: true});
}
