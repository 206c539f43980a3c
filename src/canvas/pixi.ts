// What the stage uses of Pixi, and nothing else: the WebGL renderer, meshes and particles. The `unsafe-eval` module
// replaces its generated functions by plain ones, so that the page runs under a Content-Security-Policy without eval.
import 'pixi.js/unsafe-eval';
import 'pixi.js/mesh';
import 'pixi.js/particle-container';

export {
  Buffer,
  BufferUsage,
  CanvasSource,
  Container,
  Geometry,
  GlProgram,
  Mesh,
  Particle,
  ParticleContainer,
  Rectangle,
  Shader,
  Sprite,
  Texture,
  WebGLRenderer,
} from 'pixi.js';
