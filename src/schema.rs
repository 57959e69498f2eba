//! Every generated file, from one list, in three modes: write, check, print.
