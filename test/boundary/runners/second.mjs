import { checkHere } from './checks.mjs';

checkHere();
