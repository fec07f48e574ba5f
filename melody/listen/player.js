"use strict";
const RING = 0.5; // seconds that the last note fades
let sounding = null; // the active player
let context = null; // created at the first tone, since browsers require a click before

/** Synthesizes the notes of a song without a WAV file. */
class Tones {
  constructor(notes) {
    this.notes = notes;
  }
  async start(at) {
    context ??= new AudioContext();
    await context.resume();
    this.origin = context.currentTime + 0.06 - at;
    this.gain = new GainNode(context, { gain: 0.35 });
    this.gain.connect(context.destination);
    const wave = context.createPeriodicWave(new Float32Array(6), new Float32Array([0, 1, 0.32, 0.16, 0.05, 0.03]));
    for (const note of this.notes) if (note.end > at) this.tone(note, Math.max(note.begin, at), wave);
  }
  tone(note, begin, wave) {
    const [on, off] = [this.origin + begin, this.origin + note.end];
    const voice = new OscillatorNode(context, { type: "custom", periodicWave: wave, frequency: 440 * 2 ** ((note.midi - 69) / 12) });
    const level = new GainNode(context, { gain: 0 });
    level.gain.setValueAtTime(0, on);
    level.gain.linearRampToValueAtTime(1, on + Math.min(0.02, (off - on) / 4));
    level.gain.setTargetAtTime(0.55, on + 0.02, 0.3);
    level.gain.setTargetAtTime(0, off - Math.min(0.03, (off - on) / 4), 0.05);
    voice.connect(level).connect(this.gain);
    voice.start(on);
    voice.stop(off + 0.4);
  }
  stop() {
    if (!this.gain) return;
    this.gain.gain.setTargetAtTime(0, context.currentTime, 0.015);
    setTimeout((gain) => gain.disconnect(), 150, this.gain);
    this.gain = null;
  }
  now() {
    return this.gain ? context.currentTime - this.origin : 0;
  }
}

/** Plays the WAV file of a song. */
class Recording {
  constructor(url) {
    this.audio = new Audio();
    this.audio.preload = "none";
    this.audio.src = url;
  }
  start(at) {
    this.audio.currentTime = at;
    return this.audio.play();
  }
  stop() {
    this.audio.pause();
  }
  now() {
    return this.audio.currentTime;
  }
}

class Player {
  constructor(article) {
    this.article = article;
    this.button = article.querySelector(".play");
    this.slider = article.querySelector("input");
    this.head = article.querySelector(".head");
    this.clock = article.querySelector(".at");
    const quarter = 60 / Number(article.dataset.tempo); // seconds
    this.notes = [...article.querySelectorAll(".roll rect")].map((rect) => {
      const begin = rect.x.baseVal.value * quarter;
      return { rect, begin, end: begin + Number(rect.dataset.quarters) * quarter, midi: Number(rect.dataset.midi), noteheads: [] };
    });
    this.length = Number(article.dataset.quarters) * quarter;
    this.position = 0;
    this.pairScore();
    const score = article.querySelector(".score");
    if (score.scrollWidth > score.clientWidth) score.tabIndex = 0; // the arrow keys scroll it
    const wav = article.dataset.wav;
    this.sound = wav ? new Recording(wav) : new Tones(this.notes);
    this.button.addEventListener("click", () => (sounding === this ? this.pause() : this.play()));
    this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
    this.slider.addEventListener("keydown", (event) => this.step(event));
    this.show(0);
  }
  /** Link each note to its noteheads in the score; tied ones belong to one note. */
  pairScore() {
    const tied = new Set([...this.article.querySelectorAll(".score .tie")].map((tie) => (tie.dataset.endid ?? "").slice(1)));
    let index = -1;
    for (const notehead of this.article.querySelectorAll(".score .note")) {
      if (!tied.has(notehead.dataset.id)) index += 1;
      this.notes[index]?.noteheads.push(notehead);
    }
  }
  async play() {
    sounding?.pause();
    sounding = this;
    if (this.position >= this.length) this.position = 0;
    this.article.classList.add("on");
    this.button.setAttribute("aria-label", this.button.dataset.pause);
    const attempt = (this.attempt = {});
    try {
      await this.sound.start(this.position);
    } catch (error) {
      if (error.name === "AbortError" || attempt !== this.attempt) return;
      this.sound = new Tones(this.notes); // the WAV file is missing
      await this.sound.start(this.position);
    }
    if (sounding === this && attempt === this.attempt) this.follow();
    else if (sounding !== this) this.sound.stop();
  }
  pause() {
    this.sound.stop();
    this.attempt = null;
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    if (sounding === this) sounding = null;
    this.article.classList.remove("on");
    this.button.setAttribute("aria-label", this.button.dataset.play);
  }
  seek(position) {
    const playing = sounding === this;
    if (playing) this.pause();
    this.show(position);
    if (playing) this.play();
  }
  /** The arrow keys lead to the start of the next or previous note. */
  step(event) {
    const forward = ["ArrowRight", "ArrowUp"].includes(event.key);
    if (!forward && !["ArrowLeft", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    const starts = this.notes.map((note) => note.begin);
    this.seek(forward ? (starts.find((start) => start > this.position) ?? this.length) : (starts.findLast((start) => start < this.position) ?? 0));
  }
  follow() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.finish(), 1000 * (this.length + RING - this.position)); // runs even if the page is hidden
    const step = () => {
      if (sounding !== this) return;
      this.show(Math.min(Math.max(this.sound.now(), this.position), this.length));
      this.frame = requestAnimationFrame(step);
    };
    step();
  }
  finish() {
    this.pause();
    this.show(0);
    if (all.classList.contains("on")) playNext(this);
  }
  show(position) {
    this.position = position;
    const fraction = this.length ? position / this.length : 0;
    this.head.style.left = 100 * fraction + "%";
    this.clock.textContent = clock(position);
    this.slider.value = position;
    this.slider.setAttribute("aria-valuetext", clock(position) + " of " + clock(this.length));
    for (const { rect, begin, end, noteheads } of this.notes) {
      const now = sounding === this && begin <= position && position < end;
      rect.classList.toggle("now", now);
      rect.classList.toggle("past", !now && begin < position);
      for (const notehead of noteheads) notehead.classList.toggle("now", now);
    }
  }
}

/** The buttons that show and copy the command for this song or, with another seed, for new ones. */
function offerCommand(box) {
  const [again, shuffle] = box.querySelectorAll("button");
  const [field, status] = [box.querySelector("textarea"), box.querySelector("p")];
  const command = field.defaultValue;
  const offer = async (text) => {
    field.value = text;
    field.hidden = false;
    try {
      await navigator.clipboard.writeText(text);
      status.textContent = "Copied. Run it in the folder of generate_song.py, then reload this page.";
    } catch {
      field.focus();
      field.select();
      status.textContent = "Copy it, run it in the folder of generate_song.py, then reload this page.";
    }
  };
  again.addEventListener("click", () => offer(command));
  shuffle.addEventListener("click", () => {
    const [seed] = crypto.getRandomValues(new Uint32Array(1));
    offer(command.slice(0, command.lastIndexOf(" --seed ")) + " --seed " + seed);
  });
}

const clock = (seconds) => Math.floor(seconds / 60) + ":" + String(Math.floor(seconds % 60)).padStart(2, "0");
const all = document.getElementById("all");
const players = [...document.querySelectorAll("article")].map((article) => new Player(article));
document.querySelectorAll(".compose").forEach(offerCommand);

function playNext(player) {
  const next = players[players.indexOf(player) + 1];
  if (!next) return playAll(false);
  next.show(0);
  next.play();
  next.article.scrollIntoView({ block: "nearest" });
}

function playAll(on) {
  all.classList.toggle("on", on);
  all.setAttribute("aria-pressed", on);
  all.textContent = on ? "Stop" : "Play all";
}

all.addEventListener("click", () => {
  playAll(!all.classList.contains("on"));
  sounding?.pause();
  if (all.classList.contains("on")) playNext(null);
});
