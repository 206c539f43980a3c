// The one place that brings Monaco in: the core, the features that the room uses, its worker, our language and themes.
import * as monaco from 'monaco-editor/editor';
import 'monaco-editor/features/bracketMatching/register';
import 'monaco-editor/features/clipboard/register';
import 'monaco-editor/features/codeAction/register';
import 'monaco-editor/features/codicon/register';
import 'monaco-editor/features/comment/register';
import 'monaco-editor/features/contextmenu/register';
import 'monaco-editor/features/cursorUndo/register';
import 'monaco-editor/features/find/register';
import 'monaco-editor/features/gotoError/register';
import 'monaco-editor/features/hover/register';
import 'monaco-editor/features/indentation/register';
import 'monaco-editor/features/linesOperations/register';
import 'monaco-editor/features/multicursor/register';
import 'monaco-editor/features/wordHighlighter/register';
import 'monaco-editor/features/wordOperations/register';
import 'monaco-editor/editor/contrib/suggest/browser/suggestController.js';
import EditorWorker from 'monaco-editor/editor/editor.worker?worker';
import type { Scheme } from '../canvas/palette.ts';
import { CONFIGURATION, LANGUAGE, sourceGrammar } from './language.ts';
import { THEME_NAMES, themeOf } from './themes.ts';

export { monaco };

let ready = false;

/** Registers language, themes and worker; once for the page. */
export function prepareMonaco(): void {
  if (ready) return;
  ready = true;
  self.MonacoEnvironment = { getWorker: () => new EditorWorker() };
  monaco.languages.register({ id: LANGUAGE, extensions: ['.asm', '.inc'] });
  monaco.languages.setLanguageConfiguration(LANGUAGE, CONFIGURATION);
  monaco.languages.setMonarchTokensProvider(LANGUAGE, sourceGrammar());
  for (const scheme of ['dark', 'light'] as const)
    monaco.editor.defineTheme(THEME_NAMES[scheme], themeOf(scheme));
  // Widths are measured when an editor is made; a face that arrives later has others.
  void document.fonts.ready.then(() => monaco.editor.remeasureFonts());
}

export function showScheme(scheme: Scheme): void {
  monaco.editor.setTheme(THEME_NAMES[scheme]);
}

const reduced = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

/** What both editors of the room share. Sizes follow the page's root font size. */
export function sharedOptions(): monaco.editor.IStandaloneEditorConstructionOptions {
  const root = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  const fontSize = Math.max(12, Math.round(root * 0.8));
  return {
    fontFamily: '"JetBrains Mono", ui-monospace, "DejaVu Sans Mono", monospace',
    fontSize,
    lineHeight: Math.round(fontSize * 1.55),
    fontLigatures: false,
    automaticLayout: true,
    fixedOverflowWidgets: true,
    minimap: { enabled: false },
    folding: false,
    glyphMargin: true,
    lineDecorationsWidth: 8,
    overviewRulerLanes: 2,
    overviewRulerBorder: false,
    renderLineHighlight: 'line',
    scrollBeyondLastLine: false,
    smoothScrolling: !reduced(),
    cursorBlinking: reduced() ? 'solid' : 'blink',
    scrollbar: { verticalScrollbarSize: 10, horizontalScrollbarSize: 10, useShadows: false },
    padding: { top: 6, bottom: 6 },
    guides: { indentation: false },
    stickyScroll: { enabled: false },
    unicodeHighlight: { ambiguousCharacters: false, invisibleCharacters: false },
    links: false,
    dragAndDrop: false,
    tabSize: 8,
    insertSpaces: true,
    detectIndentation: false,
    wordBasedSuggestions: 'off',
    hover: { delay: 250, above: false },
  };
}

/** Lines that are coloured without waiting; behind them Monaco's own pace will do. */
const COLOURED_AT_ONCE = 5000;

/**
 * Colours what is visible now. Monaco itself waits for an idle moment of the page, which a page that draws all the time
 * may never have.
 */
export function colourVisible(editor: monaco.editor.IStandaloneCodeEditor): void {
  const last = editor.getVisibleRanges().at(-1)?.endLineNumber ?? 0;
  if (last === 0 || last > COLOURED_AT_ONCE) return;
  // Not in Monaco's public types; without it the colours only come later.
  const { tokenization } = editor.getModel() as { tokenization?: { forceTokenization?(line: number): void } };
  tokenization?.forceTokenization?.(last);
}

/** One colour has one meaning here: brackets get none of their own. */
export function plainBrackets(model: monaco.editor.ITextModel): void {
  model.updateOptions({
    bracketColorizationOptions: { enabled: false, independentColorPoolPerBracketType: false },
  });
}
