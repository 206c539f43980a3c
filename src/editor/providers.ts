// Hover help, completion and quick fixes, handed to Monaco. What is known about a program comes from the view that shows
// it, by model.
import { type CompletionKind, completionsAt, longHelp, placeIn } from './completion.ts';
import { hoverHelp } from './help.ts';
import { LANGUAGE } from './language.ts';
import { monaco } from './monaco.ts';
import type { Definition } from './outline.ts';
import type { Problem } from './problems.ts';

/** What a view knows about the program that one of its models belongs to. */
export interface ProgramKnowledge {
  definitions(): readonly Definition[];
  /** Where a name that is used on a line is defined. */
  find(name: string, line: number): Definition | undefined;
  /** The global label that a line belongs to. */
  parentAt(line: number): string;
  /** Value of a name in the last assembly without errors. */
  value(name: string): number | undefined;
  problems(): readonly Problem[];
  /** More to say about a line, as Markdown: exits, for example. */
  about(line: number): string | null;
}

type Model = monaco.editor.ITextModel;

const knowledge = new WeakMap<Model, ProgramKnowledge>();

/** Says what is known about a model. */
export function tellAbout(model: Model, known: ProgramKnowledge): void {
  knowledge.set(model, known);
}

/** The word at a place: names with their dots, numbers with their prefix. */
export function wordAt(model: Model, position: monaco.IPosition): monaco.editor.IWordAtPosition | null {
  return model.getWordAtPosition(position);
}

let registered = false;

/** Registers the providers; once for the page. */
export function registerProviders(): void {
  if (registered) return;
  registered = true;
  monaco.languages.registerHoverProvider(LANGUAGE, { provideHover });
  monaco.languages.registerCompletionItemProvider(LANGUAGE, {
    triggerCharacters: ['%', '.', '['],
    provideCompletionItems,
    resolveCompletionItem,
  });
  monaco.languages.registerCodeActionProvider(LANGUAGE, { provideCodeActions });
}

function provideHover(model: Model, position: monaco.Position): monaco.languages.Hover | null {
  const word = wordAt(model, position);
  const known = knowledge.get(model);
  const about = known?.about(position.lineNumber) ?? null;
  const paragraphs = word
    ? hoverHelp({
        line: model.getLineContent(position.lineNumber),
        start: word.startColumn - 1,
        end: word.endColumn - 1,
        definition: (name) => known?.find(name, position.lineNumber),
        value: (name) => known?.value(name),
      })
    : null;
  if (!word || !paragraphs) return null;
  return {
    range: new monaco.Range(position.lineNumber, word.startColumn, position.lineNumber, word.endColumn),
    contents: [paragraphs.join('\n\n'), ...(about ? [about] : [])].map((value) => ({ value })),
  };
}

const KINDS: Record<CompletionKind, monaco.languages.CompletionItemKind> = {
  instruction: monaco.languages.CompletionItemKind.Function,
  register: monaco.languages.CompletionItemKind.Variable,
  keyword: monaco.languages.CompletionItemKind.Keyword,
  label: monaco.languages.CompletionItemKind.Reference,
  constant: monaco.languages.CompletionItemKind.Constant,
  macro: monaco.languages.CompletionItemKind.Module,
};

function provideCompletionItems(model: Model, position: monaco.Position): monaco.languages.CompletionList {
  const known = knowledge.get(model);
  const before = model.getLineContent(position.lineNumber).slice(0, position.column - 1);
  const place = placeIn(before);
  const written = /[%$]*[\w.?@$#~]*$/.exec(before)?.[0] ?? '';
  const range = new monaco.Range(
    position.lineNumber,
    position.column - written.length,
    position.lineNumber,
    position.column,
  );
  const items = completionsAt(place, known?.definitions() ?? [], known?.parentAt(position.lineNumber) ?? '');
  return {
    suggestions: items.map((completion) => ({
      label: { label: completion.label, description: completion.detail },
      kind: KINDS[completion.kind],
      detail: completion.detail,
      insertText: completion.label,
      filterText: completion.label,
      range,
      completion,
    })),
  };
}

function resolveCompletionItem(item: monaco.languages.CompletionItem): monaco.languages.CompletionItem {
  const { completion } = item as typeof item & { completion?: Parameters<typeof longHelp>[0] };
  if (completion) item.documentation = { value: longHelp(completion) };
  return item;
}

function provideCodeActions(
  model: Model,
  _range: monaco.Range,
  context: monaco.languages.CodeActionContext,
): monaco.languages.CodeActionList {
  const problems = knowledge.get(model)?.problems() ?? [];
  const actions = context.markers.flatMap((marker): monaco.languages.CodeAction[] => {
    const problem = problems.find(
      (p) =>
        p.line === marker.startLineNumber &&
        p.column === marker.startColumn &&
        marker.message.startsWith(p.message),
    );
    if (!problem?.fix) return [];
    return [
      {
        title: problem.fix.title,
        kind: 'quickfix',
        isPreferred: true,
        diagnostics: [marker],
        edit: {
          edits: [
            {
              resource: model.uri,
              versionId: model.getVersionId(),
              textEdit: { range: monaco.Range.lift(marker), text: problem.fix.text },
            },
          ],
        },
      },
    ];
  });
  return { actions, dispose() {} };
}
