// Hosts can run guests by SVM from now on: the silicon, the technique, and the words for its exits.
import '../machine/cpu/svm/provide.ts';
import { Svm } from '../hypervisor/svm/svm.ts';
import { Vendor } from '../trace/events.ts';
import { vocabularies } from '../trace/exits.ts';
import { SVM_WORDS } from '../trace/svm-exits.ts';
import { optionalTechniques } from './host.ts';
import { exitRules } from './rules.ts';
import { svmRule } from './svm-rules.ts';

optionalTechniques.svm = (hypervisor) => new Svm(hypervisor);
vocabularies[Vendor.svm] = SVM_WORDS;
exitRules[Vendor.svm] = svmRule;
