"use strict";
const $ = (id) => document.getElementById(id);
const form = $("settings");
const FURTHER = ["tempo", "range", "min-length", "max-copy", "curate"];
const FIELDS = ["meter", "key", "count", "temperature", "guidance", "length", "seed", "number", "instrument", "notes"];
const songs = new Map(); // by id: what the server said of each
let own = null; // id of the uploaded songs
let running = null; // AbortController of the request that is composed
let choices = null;
let further = {}; // settings of the address that have no control
let source = {}; // where memories come from, if not from the sliders: vary and distance, or at

/** Read the values of the page into settings, as they stand in the address. */
function settings() {
  const found = { ...further, ...source };
  for (const name of FIELDS) {
    const value = $(name).value.trim();
    if (value) found[name] = value;
  }
  if (found.count === "1") delete found.count;
  else delete found.number;
  if (found.notes && $("keep").checked) found.keep = "1";
  const parts = found.vary ? [] : shares();
  if (parts.some(([name]) => name === "own")) found.own = own;
  if (parts.length) found.mix = parts.map(([name, share]) => `${name}=${share}`).join(" ");
  return found;
}

/** The names of the regions whose slider is up, and their shares. */
function shares() {
  const parts = [...document.querySelectorAll("#mix input")].map((input) => [input.dataset.name, Number(input.value)]);
  const total = parts.reduce((sum, [, value]) => sum + value, 0);
  return parts.filter(([, value]) => value > 0).map(([name, value]) => [name, Number((value / total).toFixed(2))]);
}

function showShares() {
  const found = Object.fromEntries(shares());
  for (const input of document.querySelectorAll("#mix input")) {
    const text = Math.round(100 * (found[input.dataset.name] ?? 0)) + " %";
    input.parentElement.querySelector("output").textContent = text;
    input.setAttribute("aria-valuetext", text);
  }
}

/** A slider of the mix. */
function addPart(name, label, value) {
  let input = document.querySelector(`#mix input[data-name="${CSS.escape(name)}"]`);
  if (!input) {
    const row = document.createElement("div");
    row.className = "part";
    row.innerHTML = '<label></label><input type="range" min="0" max="100" step="5"><output></output>';
    input = row.querySelector("input");
    input.id = "part-" + name;
    input.dataset.name = name;
    row.querySelector("label").htmlFor = input.id;
    row.querySelector("label").textContent = label;
    row.querySelector("output").htmlFor = input.id;
    input.addEventListener("input", () => composeFrom({}));
    $("mix").append(row);
  }
  input.value = value;
  showShares();
}

/** Compose from another song or a point of the map, or with nothing from the sliders. */
function composeFrom(settings, title = "another song") {
  source = settings;
  $("sliders").hidden = !(settings.vary || settings.at);
  let text = "One region, or a mix of several.";
  if (settings.at) text = `From the point ${settings.at.replace(" ", ", ")} of the map.`;
  if (settings.vary) text = settings.distance ? `From memories near that of ${title}.` : `From the memory of ${title}.`;
  $("source").textContent = text;
  showShares();
}

/** Set the controls from the address. */
function fill(found) {
  for (const name of FIELDS) if (found.has(name)) $(name).value = found.get(name);
  if (found.has("number") && !found.has("count")) $("count").value = "1";
  if (found.has("seed")) $("lock").checked = true;
  if (found.has("notes")) $("keep").checked = found.has("keep");
  if (found.has("own")) {
    own = found.get("own");
    addPart("own", "your songs", 0);
  }
  further = Object.fromEntries([...found].filter(([name]) => FURTHER.includes(name)));
  composeFrom(sourceIn(found));
  if (!found.has("mix")) return;
  for (const input of document.querySelectorAll("#mix input")) input.value = 0;
  for (const part of found.get("mix").split(" ")) {
    const cut = part.lastIndexOf("=");
    const input = document.querySelector(`#mix input[data-name="${CSS.escape(part.slice(0, cut))}"]`);
    if (input) input.value = 100 * Number(part.slice(cut + 1));
  }
  showShares();
}

const sourceIn = (found) => Object.fromEntries([...found].filter(([name]) => ["vary", "distance", "at"].includes(name)));

/** Say what is wrong beside the control that caused it. */
function complain(text, control = "") {
  const box = document.querySelector(`[data-control="${CSS.escape(control)}"]`) ?? document.querySelector('[data-control=""]');
  const place = box.matches(".error") ? box : box.querySelector(".error");
  if (box.matches("details")) box.open = true;
  place.textContent = text;
  place.id ||= "error-" + (control || "page");
  const input = box.querySelector("input, select, textarea");
  if (!input) return;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", place.id);
  input.focus();
}

function forgive() {
  for (const place of document.querySelectorAll(".error")) place.textContent = "";
  for (const input of document.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/** Send a request and give each line of the answer to a function as it comes. */
async function lines(path, body, take, signal) {
  const answer = await fetch(path, { method: "POST", body, signal });
  if (!answer.headers.get("content-type").startsWith("application/x-ndjson")) return take(await answer.json().catch(() => ({ error: "the upload is too large" })));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) take(JSON.parse(part));
  }
}

async function compose() {
  forgive();
  running?.abort();
  sounding?.pause();
  if (!$("lock").checked) $("seed").value = crypto.getRandomValues(new Uint32Array(1))[0];
  const found = settings();
  if (!found.mix && !found.vary) return complain("raise the slider of a region", "mix");
  const query = new URLSearchParams(found).toString();
  history.replaceState(null, "", "?" + query);
  document.querySelector(".batch.current")?.classList.remove("current");
  const batch = document.createElement("div");
  batch.className = "batch current";
  $("songs").prepend(batch);
  if (batch.getBoundingClientRect().top > 0.6 * innerHeight) $("compose").scrollIntoView({ block: "start" });
  const request = (running = new AbortController());
  $("cancel").disabled = false;
  $("status").textContent = "Composing …";
  let composed = 0;
  let wanted = 1;
  try {
    await lines("compose", query, (event) => {
      if (event.error) {
        $("status").textContent = "";
        complain(event.error, event.control);
      } else if (event.songs) {
        wanted = event.songs;
        for (const text of event.warnings) complain(text);
      } else if (event.id) {
        composed += 1;
        show(event, batch);
        $("status").textContent = `Song ${composed} of ${wanted}`;
      } else if (event.waiting > 0) {
        $("status").textContent = event.waiting === 1 ? "1 request is before yours" : `${event.waiting} requests are before yours`;
      } else if (event.done) {
        $("status").textContent = wanted === 1 ? "1 song composed" : `${composed} songs composed`;
      }
    }, request.signal);
  } catch (problem) {
    $("status").textContent = problem.name === "AbortError" ? "Cancelled" : "";
    if (problem.name !== "AbortError") complain("the server does not answer; is it still running?");
  }
  if (running === request) {
    running = null;
    $("cancel").disabled = true;
  }
}

/** Add a song to the page, with what can be done with it. */
function show(event, batch) {
  songs.set(event.id, event);
  batch.insertAdjacentHTML("beforeend", event.html);
  const article = batch.lastElementChild;
  const actions = $("actions").content.cloneNode(true).firstElementChild;
  actions.setAttribute("aria-label", `What to do with ${event.title}`);
  if (!event.varies) for (const name of ["vary", "step"]) actions.querySelector(`[data-do=${name}]`).disabled = true;
  actions.addEventListener("click", (click) => click.target.dataset.do && act(click.target.dataset.do, event, actions));
  article.append(actions);
  players.push(new Player(article));
  for (const player of players.splice(0)) if (player.article.isConnected) players.push(player);
}

function act(name, event, box) {
  const status = box.querySelector("p");
  if (name === "link") return offer(event, box);
  if (name === "keep") return keep(event, status);
  if (name === "again") {
    $("seed").value = event.seed;
    $("number").value = event.number;
    $("count").value = "1";
    $("lock").checked = true;
    composeFrom(sourceIn(new URLSearchParams(event.settings)), "that song");
  } else if (name === "continue") {
    $("notes").value = event.abc;
    $("keep").checked = true;
    $("lock").checked = false;
    composeFrom({});
  } else {
    $("notes").value = "";
    $("lock").checked = false;
    $("number").value = "1";
    composeFrom({ vary: event.settings, ...(name === "step" ? { distance: "1" } : {}) }, `${event.title}, seed ${event.seed}`);
  }
  compose();
}

function offer(event, box) {
  const [field, status] = [box.querySelector("textarea"), box.querySelector("p")];
  field.hidden = !field.hidden;
  field.value = `${location.origin}/?${event.settings}\n\n${event.command}`;
  if (field.hidden) return;
  field.focus();
  field.select();
  status.textContent = "The link opens this song here; the command composes it in the folder of generate_song.py.";
}

async function keep(event, status) {
  const answer = await (await fetch("keep", { method: "POST", body: event.id })).json();
  status.textContent = answer.error ?? `Kept as ${answer.path}, with its score.`;
}

/** Upload files; `path` is what is done with them. */
async function upload(files, path, take) {
  const content = (file) => new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
  const body = [];
  for (const file of files) body.push({ name: file.name, content: file.size ? await content(file) : "" });
  await lines(path, JSON.stringify(body), take);
}

async function readOwn(files) {
  if (!files.length) return;
  forgive();
  const [bar, text] = [$("reading"), $("uploaded")];
  if (files.length > choices.most_files) return complain(`${files.length} files; give at most ${choices.most_files}`, "own");
  bar.hidden = false;
  bar.value = 0;
  text.textContent = "Reading …";
  try {
    await upload(files, "own", (event) => {
      if (event.error) {
        text.textContent = "";
        complain(event.error, "own");
      } else if (event.read) {
        bar.value = event.read / event.of;
        text.textContent = `${event.read} of ${event.of} files read`;
        if (event.left_out.length) complain("Left out: " + event.left_out.join("; "), "own");
      } else {
        own = event.id;
        for (const input of document.querySelectorAll("#mix input")) input.value = 0;
        addPart("own", "your songs", 100);
        composeFrom({});
        text.textContent = `${event.songs} ${event.songs === 1 ? "song" : "songs"}, ${event.notes} notes: compose from them, or mix them with a region.`;
      }
    });
  } catch {
    complain("the server does not answer; is it still running?", "own");
  }
  bar.hidden = true;
}

/** The keyboard writes ABC: from C to c', sharps as ^. */
function buildKeyboard() {
  const names = "C ^C D ^D E F ^F G ^G A ^A B c ^c d ^d e f ^f g ^g a ^a b c'".split(" ");
  for (const name of names) {
    const key = document.createElement("button");
    key.type = "button";
    key.className = name.startsWith("^") ? "black" : "";
    const spoken = name.replace("^", "").toUpperCase().replace("'", "") + (name.startsWith("^") ? " sharp" : "");
    key.setAttribute("aria-label", spoken + (name === name.toUpperCase() ? ", low" : name.endsWith("'") ? ", high" : ""));
    key.textContent = key.className ? "" : name;
    key.addEventListener("click", () => {
      const length = $("value").value;
      type(name + (length === "1" ? "" : length));
      beep(names.indexOf(name) + 60);
    });
    $("keyboard").append(key);
  }
}

function type(text) {
  const field = $("notes");
  field.value = (field.value.trimEnd() + " " + text).trimStart();
}

async function beep(midi) {
  sounding?.pause();
  const tone = new Tones([{ begin: 0, end: 0.4, midi }]);
  await tone.start(0);
  setTimeout(() => tone.stop(), 900);
}

async function showMap(name) {
  const found = await (await fetch("map/" + encodeURIComponent(name))).json();
  const map = $("map");
  const far = Math.min(choices.most.at, Math.ceil(10 * Math.max(3, ...found.points.flat().map(Math.abs))) / 10 + 0.2);
  map.setAttribute("viewBox", `${-far} ${-far} ${2 * far} ${2 * far}`);
  map.replaceChildren();
  const add = (tag, values, title) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(values)) element.setAttribute(key, value);
    if (title) element.append(Object.assign(document.createElementNS("http://www.w3.org/2000/svg", "title"), { textContent: title }));
    map.append(element);
    return element;
  };
  add("line", { x1: -far, x2: far, y1: 0, y2: 0 });
  add("line", { y1: -far, y2: far, x1: 0, x2: 0 });
  found.points.forEach(([x, y], index) => add("circle", { cx: x, cy: -y, r: far / 110 }, found.songs[index]));
  add("circle", { class: "here", cx: 0, cy: 0, r: far / 60 });
  const kind = found.real ? "a real memory, after a song of the region" : "a memory sampled from the VAE; real ones appear after generate_memories.py";
  $("maptext").textContent = `Each point is ${kind}. A click composes from there.`;
}

function composeThere() {
  for (const input of document.querySelectorAll("#mix input")) input.value = input.dataset.name === $("maps").value ? 100 : 0;
  composeFrom({ at: `${$("x").value.trim() || 0} ${$("y").value.trim() || 0}` });
  const here = $("map").querySelector(".here");
  here?.setAttribute("cx", $("x").value || 0);
  here?.setAttribute("cy", -Number($("y").value || 0));
  compose();
}

async function start() {
  buildKeyboard();
  choices = await (await fetch("choices")).json();
  const fillList = (id, values, chosen) => $(id).append(...values.map((value) => new Option(value, value, false, value === chosen)));
  fillList("meter", choices.meters);
  $("key").append(...choices.keys.map((key) => new Option(key.replace("-", "♭").replace("#", "♯") + (key === key.toLowerCase() ? " minor" : " major"), key)));
  fillList("instrument", choices.instruments, choices.defaults.instrument);
  fillList("maps", choices.regions);
  choices.regions.forEach((name, index) => addPart(name, name, index ? 0 : 100));
  for (const name of ["temperature", "guidance", "length"]) $(name).value = choices.defaults[name];
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    compose();
  });
  $("cancel").addEventListener("click", () => running?.abort());
  $("sliders").addEventListener("click", () => composeFrom({}));
  $("upload").addEventListener("change", (event) => readOwn([...event.target.files]));
  $("tune").addEventListener("change", async (event) => {
    forgive();
    await upload(event.target.files, "notes", (answer) => (answer.error ? complain(answer.error, "notes") : ($("notes").value = answer.abc)));
    event.target.value = "";
  });
  $("bar").addEventListener("click", () => type("|"));
  $("undo").addEventListener("click", () => ($("notes").value = $("notes").value.trimEnd().replace(/\S+$/, "").trimEnd()));
  $("mapbox").addEventListener("toggle", () => $("mapbox").open && !$("map").children.length && showMap($("maps").value));
  $("maps").addEventListener("change", () => showMap($("maps").value));
  $("there").addEventListener("click", composeThere);
  $("map").addEventListener("click", (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform($("map").getScreenCTM().inverse());
    $("x").value = point.x.toFixed(2);
    $("y").value = (-point.y).toFixed(2);
    composeThere();
  });
  const zone = $("own");
  for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, (event) => (event.preventDefault(), zone.classList.add("dropping")));
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, (event) => (event.preventDefault(), zone.classList.remove("dropping")));
  zone.addEventListener("drop", (event) => readOwn([...event.dataTransfer.files]));
  if (location.search) {
    const found = new URLSearchParams(location.search);
    fill(found);
    if (found.has("seed")) compose();
  }
}

start();
