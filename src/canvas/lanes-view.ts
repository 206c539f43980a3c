// Heavy traffic as flow: one mesh of ribbons along the ways of crossings, on which dashes move in the shader. However
// many events happen, the cost is the same: 64 ribbons of 14 segments, of which a frame updates only the phase.
import type { StageLayout } from './layout.ts';
import { pathBetween, pointOn } from './layout.ts';
import { type Palette, toNumber } from './palette.ts';
import { Buffer, BufferUsage, Geometry, GlProgram, Mesh, Shader } from './pixi.ts';
import { heaviness, type Lane } from './traffic.ts';

const MAX_LANES = 64;
const SEGMENTS = 14;
const VERTICES = MAX_LANES * (SEGMENTS + 1) * 2;

const VERTEX = `
in vec2 aPosition;
in vec4 aFlow;
in vec4 aColor;
out vec4 vFlow;
out vec4 vColor;
uniform mat3 uProjectionMatrix;
uniform mat3 uWorldTransformMatrix;
uniform mat3 uTransformMatrix;
void main() {
  mat3 m = uProjectionMatrix * uWorldTransformMatrix * uTransformMatrix;
  gl_Position = vec4((m * vec3(aPosition, 1.0)).xy, 0.0, 1.0);
  vFlow = aFlow;
  vColor = aColor;
}`;
// vFlow: pixels along the way, -1…1 across it, phase in dashes, share of a dash that is filled.
const FRAGMENT = `
in vec4 vFlow;
in vec4 vColor;
out vec4 finalColor;
void main() {
  float along = fract(vFlow.x / 22.0 - vFlow.z);
  float head = smoothstep(1.0 - vFlow.w, 1.0 - vFlow.w * 0.15, along) * (1.0 - smoothstep(0.96, 1.0, along));
  float edge = 1.0 - smoothstep(0.55, 1.0, abs(vFlow.y));
  float body = 0.16 + 0.84 * max(head, step(0.985, vFlow.w));
  finalColor = vColor * (edge * body);
}`;

export class LanesView {
  readonly mesh: Mesh<Geometry, Shader>;
  private readonly positions = new Float32Array(VERTICES * 2);
  private readonly flows = new Float32Array(VERTICES * 4);
  private readonly colours = new Float32Array(VERTICES * 4);
  private readonly buffers: Buffer[];
  private readonly speeds = new Float32Array(MAX_LANES);
  private readonly phases = new Map<string, number>();
  private keys: string[] = [];
  private readonly point = { x: 0, y: 0 };
  private readonly ahead = { x: 0, y: 0 };

  constructor() {
    const indices = new Uint32Array(MAX_LANES * SEGMENTS * 6);
    for (let lane = 0, at = 0; lane < MAX_LANES; lane++) {
      for (let n = 0; n < SEGMENTS; n++) {
        const first = (lane * (SEGMENTS + 1) + n) * 2;
        for (const step of [0, 1, 2, 1, 3, 2]) indices[at++] = first + step;
      }
    }
    this.buffers = [this.positions, this.flows, this.colours].map(
      (data) => new Buffer({ data, usage: BufferUsage.VERTEX | BufferUsage.COPY_DST }),
    );
    const geometry = new Geometry({
      attributes: {
        aPosition: { buffer: this.buffers[0], format: 'float32x2' },
        aFlow: { buffer: this.buffers[1], format: 'float32x4' },
        aColor: { buffer: this.buffers[2], format: 'float32x4' },
      },
      indexBuffer: indices,
    });
    const shader = new Shader({
      glProgram: GlProgram.from({ vertex: VERTEX, fragment: FRAGMENT, name: 'lanes' }),
    });
    this.mesh = new Mesh({ geometry, shader });
  }

  /** Lays the ribbons for these streams. @param strength 0–1, all of them. A few times a second is enough. */
  set(layout: StageLayout, lanes: readonly Lane[], palette: Palette, strength: number): void {
    this.colours.fill(0);
    const keys: string[] = [];
    this.mesh.visible = strength > 0.01 && lanes.length > 0;
    lanes.slice(0, MAX_LANES).forEach((lane, n) => {
      const { cue } = lane;
      const path = pathBetween(layout, cue.meaning, cue.from, cue.to);
      const key = `${cue.from.domain}${cue.from.place}${cue.to.domain}${cue.to.place}${cue.meaning}`;
      keys.push(key);
      if (!path) return;
      const heavy = heaviness(lane.rate);
      this.speeds[n] = 1.2 + heavy * 4.5;
      const phase = this.phases.get(key) ?? 0;
      this.ribbon(n, path, 2 + heavy * 5.5, phase, 0.35 + heavy * 0.6);
      this.colour(n, toNumber(palette.meaning[cue.meaning]), strength * (0.55 + 0.45 * heavy));
    });
    for (const key of this.phases.keys()) if (!keys.includes(key)) this.phases.delete(key);
    this.keys = keys;
    for (const buffer of this.buffers) buffer.update();
  }

  /** Moves the dashes on. @param seconds since the last call; 0 while the machine stands still */
  step(seconds: number): void {
    if (!this.mesh.visible || seconds <= 0) return;
    this.keys.forEach((key, n) => {
      const phase = ((this.phases.get(key) ?? 0) + this.speeds[n] * seconds) % 1;
      this.phases.set(key, phase);
      const end = (n + 1) * (SEGMENTS + 1) * 2 * 4;
      for (let at = n * (SEGMENTS + 1) * 2 * 4 + 2; at < end; at += 4) this.flows[at] = phase;
    });
    this.buffers[1].update();
  }

  private ribbon(
    lane: number,
    path: ArrayLike<number>,
    halfWidth: number,
    phase: number,
    filled: number,
  ): void {
    let along = 0;
    for (let n = 0; n <= SEGMENTS; n++) {
      const t = n / SEGMENTS;
      pointOn(path, 0, t, this.point);
      const sign = t < 1 ? 1 : -1;
      pointOn(path, 0, t + sign * 0.01, this.ahead);
      const dx = (this.ahead.x - this.point.x) * sign;
      const dy = (this.ahead.y - this.point.y) * sign;
      const length = Math.hypot(dx, dy) || 1;
      const vertex = (lane * (SEGMENTS + 1) + n) * 2;
      if (n > 0) {
        const before = (vertex - 2) * 2;
        const px = (this.positions[before] + this.positions[before + 2]) / 2;
        const py = (this.positions[before + 1] + this.positions[before + 3]) / 2;
        along += Math.hypot(this.point.x - px, this.point.y - py);
      }
      for (let side = 0; side < 2; side++) {
        const across = side === 0 ? -1 : 1;
        this.positions[(vertex + side) * 2] = this.point.x - (dy / length) * halfWidth * across;
        this.positions[(vertex + side) * 2 + 1] = this.point.y + (dx / length) * halfWidth * across;
        this.flows.set([along, across, phase, filled], (vertex + side) * 4);
      }
    }
  }

  private colour(lane: number, rgb: number, alpha: number): void {
    const first = lane * (SEGMENTS + 1) * 2;
    for (let vertex = first; vertex < first + (SEGMENTS + 1) * 2; vertex++) {
      this.colours[vertex * 4] = (((rgb >> 16) & 255) / 255) * alpha;
      this.colours[vertex * 4 + 1] = (((rgb >> 8) & 255) / 255) * alpha;
      this.colours[vertex * 4 + 2] = ((rgb & 255) / 255) * alpha;
      this.colours[vertex * 4 + 3] = alpha;
    }
  }
}
