// Boards can have APICs from now on.
import { optional } from '../optional.ts';
import { ApicSystem } from './apic-system.ts';
import { firmwareTables } from './tables.ts';

optional.ApicSystem = ApicSystem;
optional.firmwareTables = firmwareTables;
