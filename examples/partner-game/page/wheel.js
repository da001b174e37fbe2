// The wheel: what was drawn is the server's word; this only shows it.
const COLOURS = ['#ffe0a3', '#ffd0c4', '#cfe9d6', '#fff2cf', '#e9ddf5'];
const STATES = { NEW: '积分发放中…', APPLIED: '积分已到账', REJECTED: '未能发放', REVERSED: '已撤回' };
const POLL_MS = 800;

const wheel = document.querySelector('.wheel svg');
const button = document.querySelector('#spin');
const said = document.querySelector('#said');
const list = document.querySelector('#wins');
let turned = 0;

function draw(fields) {
  const step = 360 / fields.length;
  const point = (angle, radius) => {
    const turn = ((angle - 90) * Math.PI) / 180;
    return `${radius * Math.cos(turn)} ${radius * Math.sin(turn)}`;
  };
  wheel.replaceChildren();
  fields.forEach((title, place) => {
    const slice = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    const [from, to] = [place * step - step / 2, place * step + step / 2];
    slice.setAttribute('d', `M0 0 L${point(from, 48)} A48 48 0 0 1 ${point(to, 48)} Z`);
    slice.setAttribute('fill', COLOURS[place % COLOURS.length]);
    slice.setAttribute('stroke', '#e0a030');
    const text = document.createElementNS('http://www.w3.org/2000/svg', 'text');
    text.setAttribute('transform', `rotate(${place * step}) translate(0 -33)`);
    text.textContent = title;
    wheel.append(slice, text);
  });
}

function show(wins) {
  list.replaceChildren(
    ...wins
      .filter((win) => win.points > 0)
      .map((win) => {
        const item = document.createElement('li');
        const state = document.createElement('span');
        state.className = `state ${win.state}`;
        state.textContent = STATES[win.state] ?? win.state;
        item.append(win.title, state);
        return item;
      }),
  );
  return wins.some((win) => win.state === 'NEW');
}

async function ask(path, body) {
  const options = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(path, options);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.message);
  return told;
}

async function follow() {
  for (;;) {
    await new Promise((done) => setTimeout(done, POLL_MS));
    try {
      if (!show((await ask('/api/wins')).wins)) return;
    } catch {
      // It is asked again.
    }
  }
}

async function enter() {
  const token = new URLSearchParams(location.hash.slice(1)).get('bind');
  // The token is good once: it does not stay where it could be shared.
  history.replaceState(null, '', location.pathname);
  const told = await ask('/api/enter', { bindToken: token });
  draw(told.fields);
  if (show(told.wins)) follow();
  button.disabled = false;
}

button.addEventListener('click', async () => {
  button.disabled = true;
  said.textContent = '';
  try {
    const told = await ask('/api/spin', {});
    const step = 360 / told.fields.length;
    turned += 1440 - (turned % 360) - told.place * step;
    wheel.style.transform = `rotate(${turned}deg)`;
    await Promise.race([
      new Promise((done) => wheel.addEventListener('transitionend', done, { once: true })),
      new Promise((done) => setTimeout(done, 2600)),
    ]);
    const [newest] = told.wins;
    said.textContent = newest.points > 0 ? `恭喜获得 ${newest.title}！` : newest.title;
    if (show(told.wins)) follow();
  } catch (problem) {
    said.textContent = problem.message;
  }
  button.disabled = false;
});

enter().catch((problem) => {
  said.textContent = problem.message;
});
