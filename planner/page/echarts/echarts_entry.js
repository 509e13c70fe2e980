// The parts of Apache ECharts that the plan's page draws with; build.sh makes echarts.min.js of them.
// SPDX-License-Identifier: GPL-3.0-or-later
import * as core from 'echarts/core';
import { CustomChart } from 'echarts/charts';
import { GridComponent, DataZoomComponent } from 'echarts/components';
import { CanvasRenderer } from 'echarts/renderers';

core.use([CustomChart, GridComponent, DataZoomComponent, CanvasRenderer]);

export const init = core.init;
export const graphic = core.graphic;
export const version = core.version;
