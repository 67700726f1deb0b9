'use strict';
const kEvery = 2000;
let token = '';
const byId = (id) => document.getElementById(id);

async function get(path) {
  const headers = {Accept: 'application/json'};
  if (token) headers.Authorization = 'Bearer ' + token;
  const reply = await fetch(path, {headers, cache: 'no-store', credentials: 'omit'});
  byId('login').hidden = reply.status !== 401;
  if (!reply.ok) throw new Error(path + ': ' + reply.status);
  return reply.json();
}

// Text only ever becomes text: a name of a pipeline is no markup.
function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function table(columns, rows) {
  const made = element('table');
  const head = made.createTHead().insertRow();
  for (const column of columns) head.append(element('th', column.title, column.kind));
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    columns.forEach((column, i) => {
      const cell = row[i];
      const is_pair = cell !== null && typeof cell === 'object';
      line.append(element('td', is_pair ? cell.text : String(cell),
                          is_pair ? cell.kind : column.kind));
    });
  }
  return made;
}

const phaseKind = (phase) => phase === 'running' ? 'good'
    : phase === 'failed' || phase === 'rejected' ? 'bad' : 'busy';

function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  while (bytes >= 1024 && i + 1 < units.length) { bytes /= 1024; ++i; }
  return bytes.toFixed(i ? 1 : 0) + ' ' + units[i];
}

const kInstances = [{title: 'instance', kind: 'number'}, {title: 'core', kind: 'number'},
    {title: 'phase'}, {title: 'generation', kind: 'number'}, {title: 'restarts', kind: 'number'},
    {title: 'since'}, {title: 'reason'}];
const kOperations = [{title: 'operation', kind: 'number'}, {title: 'kind'}, {title: 'state'},
    {title: 'action'}, {title: 'updated'}, {title: 'reason'}];

function showStatus(status) {
  byId('version').textContent = status.version;
  byId('uptime').textContent = 'up ' + Math.round(status.uptime_seconds) + ' s';
  byId('memory').textContent = size(status.memory.resident_bytes) + ' resident, ' +
      size(status.memory.arrow_bytes) + ' in columns';
  const state = byId('state');
  state.textContent = status.is_draining ? 'draining' : !status.is_ready ? 'not ready' : status.is_degraded ? 'ready, a destination fails' : 'ready';
  state.className = status.is_ready && !status.is_degraded ? 'good' : 'bad';
  const pipelines = byId('pipelines');
  pipelines.replaceChildren();
  for (const pipeline of status.pipelines) {
    const title = element('h2', pipeline.group + ' / ' + pipeline.pipeline + ': ');
    title.append(element('span', pipeline.phase, phaseKind(pipeline.phase)));
    pipelines.append(title);
    pipelines.append(table(kInstances, pipeline.instances.map((i) => [
        i.index, i.core === null ? '' : i.core, {text: i.phase, kind: phaseKind(i.phase)},
        i.generation, i.restarts, i.since, i.reason])));
    if (pipeline.operations.length) {
      pipelines.append(element('h3', 'Operations'));
      pipelines.append(table(kOperations, pipeline.operations.slice(-5).reverse().map((o) => [
          o.id, o.kind, o.state, o.action, o.updated, o.reason])));
    }
  }
}

// Sums of the cores: what a node and the queue in front of it have done so far, by name of metric.
function readNodes(metrics) {
  const nodes = new Map();
  for (const metric of metrics.metrics) {
    if (!/^df[.](node|edge)[.]/.test(metric.name)) continue;
    for (const point of metric.points) {
      if (point.value === undefined) continue;
      const set = point.set;
      const key = [set['pipeline.group.id'], set['pipeline.id'], set['node.id']].join(' / ');
      if (!nodes.has(key)) nodes.set(key, {type: set['node.type'] || '', sums: {}});
      const sums = nodes.get(key).sums;
      sums[metric.name] = (sums[metric.name] || 0) + point.value;
    }
  }
  return {seconds: metrics.time_unix_nano / 1e9, nodes};
}

const kKept = 60;  // points of a curve
const history = new Map();
let before = null;

function curve(values) {
  const svg = byId('curve').content.firstElementChild.cloneNode(true);
  const top = Math.max(...values, 1);
  const line = svg.firstElementChild;
  line.setAttribute('points', values.map(
      (value, i) => (i * 120 / (kKept - 1)).toFixed(1) + ',' +
          (19 - 18 * value / top).toFixed(1)).join(' '));
  return svg;
}

const count = (value) => Math.round(value).toLocaleString('en');
const kNodes = [{title: 'node'}, {title: 'type'}, {title: 'items in/s', kind: 'number'},
    {title: 'items out/s', kind: 'number'}, {title: 'batches in/s', kind: 'number'},
    {title: 'acked/s', kind: 'number'}, {title: 'nacked/s', kind: 'number'},
    {title: 'dropped/s', kind: 'number'}, {title: 'queue', kind: 'number'},
    {title: 'queue bytes', kind: 'number'}, {title: 'busy', kind: 'number'},
    {title: 'items in/s, last minutes'}];

function showNodes(now) {
  const seconds = before ? now.seconds - before.seconds : 0;
  const rows = [];
  const curves = [];
  for (const [key, node] of [...now.nodes].sort()) {
    const old = before && before.nodes.get(key);
    const rate = (name) => old && seconds > 0
        ? Math.max(0, ((node.sums[name] || 0) - (old.sums[name] || 0)) / seconds) : 0;
    const items = rate('df.node.items.in') || rate('df.node.items.out');
    const kept = history.get(key) || [];
    history.set(key, [...kept, items].slice(-kKept));
    curves.push(curve(history.get(key)));
    const limit = node.sums['df.edge.batches.limit'] || 0;
    const depth = node.sums['df.edge.batches'] || 0;
    rows.push([key, node.type, count(rate('df.node.items.in')), count(rate('df.node.items.out')),
        count(rate('df.node.batches.in')), count(rate('df.node.batches.acked')),
        count(rate('df.node.batches.nacked')), count(rate('df.node.items.dropped')),
        limit ? {text: depth + ' of ' + limit, kind: 'number' + (depth >= limit ? ' bad' : '')} : '',
        limit ? size(node.sums['df.edge.size'] || 0) : '',
        (100 * rate('df.node.busy.time')).toFixed(0) + ' %', '']);
  }
  const made = table(kNodes, rows);
  curves.forEach((svg, i) => made.tBodies[0].rows[i].lastElementChild.append(svg));
  byId('nodes').replaceChildren(made);
  before = now;
}

function showLogs(logs) {
  byId('logs').replaceChildren(table([{title: 'time'}, {title: 'level'}, {title: 'message'}],
      logs.records.reverse().map((record) => [record.time,
          {text: record.level, kind: record.level === 'error' ? 'bad'
              : record.level === 'warning' ? 'busy' : ''},
          [record.event, record.message, ...Object.entries(record.attributes).map(
              ([key, value]) => key + '=' + value)].filter(Boolean).join(' ')])));
}

async function refresh() {
  try {
    showStatus(await get('/api/v1/status'));
    showNodes(readNodes(await get('/api/v1/metrics?format=json')));
    showLogs(await get('/api/v1/telemetry/logs?limit=20'));
    byId('problem').textContent = '';
  } catch (error) {
    byId('problem').textContent = String(error.message || error);
  }
}

byId('login').addEventListener('submit', (event) => {
  event.preventDefault();
  token = byId('token').value;
  byId('token').value = '';
  refresh();
});

(async () => {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((done) => setTimeout(done, kEvery));
  }
})();
