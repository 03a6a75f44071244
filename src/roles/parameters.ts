import { IngotError, nearest } from '../base/errors.ts';
import { keyPlaceAt, placeAt, type MapNode, type PlacedProblem } from '../template/source.ts';
import { refusal, TYPE_WORDS, typeOf } from '../template/variables.ts';
import { variableValueSchema, type VariableValue } from '../template/variables-schema.ts';
import type { RoleHead, RoleParameter } from './schema.ts';

/** What conditions of parts may name besides parameters. */
export const FACTS = ['family', 'release', 'distribution', 'arch'] as const;

/** Adds what is wrong with a role's declarations of its parameters: a default that its own rules refuse, a name that means something else. */
export function checkDeclarations(head: RoleHead, tree: MapNode, problems: PlacedProblem[]): void {
  for (const [name, parameter] of Object.entries(head.parameters)) {
    const problem = (key: string, message: string): void => {
      problems.push({ path: `parameters.${name}.${key}`, message, place: placeAt(tree, ['parameters', name, key]) });
    };
    if (FACTS.some((fact) => fact === name)) {
      problems.push({ path: `parameters.${name}`, message: 'is the name of something that parts know already', place: keyPlaceAt(tree, ['parameters', name]) });
    }
    if (parameter.pattern !== undefined && !isPattern(parameter.pattern)) problem('pattern', 'must be a regular expression');
    else if (parameter.default !== undefined) {
      const wrong = wrongness(parameter.default, parameter);
      if (wrong !== undefined) problem('default', wrong);
    }
  }
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

/** Why a value cannot be a parameter's; undefined where it can. */
function wrongness(value: VariableValue, parameter: RoleParameter): string | undefined {
  if (typeOf(value) !== parameter.type) return `must be ${TYPE_WORDS[parameter.type]}, not ${TYPE_WORDS[typeOf(value)]}`;
  return refusal(value, parameter);
}

/** One thing that is wrong with what a role was given. */
export interface ParameterFault {
  /** The parameter; undefined where one is missing. */
  readonly name?: string;
  readonly error: IngotError;
}

export interface ParameterValues {
  /** One for each parameter of the role. */
  readonly values: ReadonlyMap<string, VariableValue>;
  readonly faults: readonly ParameterFault[];
}

/** The value of each parameter, given or by default, and everything that is wrong with those given: `parameter-unknown`, `parameter-wrong`, `parameter-missing`. */
export function parameterValues({ role, parameters }: RoleHead, given: Readonly<Record<string, unknown>>): ParameterValues {
  const values = new Map<string, VariableValue>();
  const faults: ParameterFault[] = [];
  for (const name of Object.keys(given).filter((each) => !Object.hasOwn(parameters, each)))
    faults.push({ name, error: unknownParameter(role, name, parameters) });
  for (const [name, parameter] of Object.entries(parameters)) {
    const value = Object.hasOwn(given, name) ? variableValueSchema.safeParse(given[name]).data : parameter.default;
    if (value === undefined) {
      faults.push(Object.hasOwn(given, name) ? wrong(role, name, `must be ${TYPE_WORDS[parameter.type]}`, parameter) : missing(role, name, parameter));
      continue;
    }
    const fault = wrongness(value, parameter);
    if (fault === undefined) values.set(name, value);
    else faults.push(wrong(role, name, fault, parameter));
  }
  return { values, faults };
}

function unknownParameter(role: string, name: string, parameters: Readonly<Record<string, RoleParameter>>): IngotError {
  const known = Object.keys(parameters);
  const near = nearest(name, known);
  return new IngotError('usage', 'parameter-unknown', `The role ${role} has no parameter "${name}"`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : known.length > 0 ? `It has ${known.join(', ')}.` : 'It takes none.',
  });
}

function wrong(role: string, name: string, fault: string, { description }: RoleParameter): ParameterFault {
  return {
    name,
    error: new IngotError('usage', 'parameter-wrong', `The parameter ${name} of the role ${role} ${fault}`, { hint: `${name}: ${description}.` }),
  };
}

function missing(role: string, name: string, { description }: RoleParameter): ParameterFault {
  const error = new IngotError('usage', 'parameter-missing', `The role ${role} needs its parameter ${name}`, {
    hint: `${name}: ${description}. Write it in the template: roles: [{ ${role}: { ${name}: … } }]`,
  });
  return { error };
}
