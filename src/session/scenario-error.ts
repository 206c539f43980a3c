// Why a scenario cannot be used, in one line. Apart from the validator, which the page fetches only for scenarios not its own.
export class ScenarioError extends Error {
  override name = 'ScenarioError';
}
