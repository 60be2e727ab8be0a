(* What the theorems rest on.  All of them are put into one tuple, so that one command tells
   it for all: it prints "Closed under the global context" if they rest on nothing but
   definitions, otherwise the assumptions.  The Makefile wants the former, and wants every
   theorem of this folder here, in order. *)

From Kvopt Require Import Model Sums Staircase Completions Pipeline Spacing Prices Area
  BusyTime Staggered Paths PathCheck Phases
  BusyCheck Exhaustive Blocks Upper LinearDuals Checker.

Definition every_theorem := (
  @no_kills,
  @staircase,
  @completions_enough,
  @fits_check_sound,
  @pipeline_peak,
  @pipeline_peak_attained,
  @no_drain,
  @sps_peak,
  @sps_memory,
  @peak_closed_form,
  @F_antitone,
  @F_monotone,
  @peak_increases,
  @most_slots_exists,
  @sps_utilisation,
  @sps_third,
  @sps2_fits,
  @sps2_half,
  @area_below_peak,
  @tight_exists,
  @tight_half,
  @half_is_sharp,
  @third_is_sharp,
  @sps_monotone,
  @sps2_monotone,
  @tight_monotone,
  @no_drain_rules,
  @weak_duality,
  @cheapest_le,
  @leaf_sound,
  @prices_sound,
  @prices_sound_with_kills,
  @area_bound,
  @output_bound,
  @busy_time,
  @busy_time_memory,
  @busy_time_slots,
  @delta_memory,
  @opt_third,
  @staggered_schedule,
  @staggered_cost,
  @closing,
  @staggered_ratio,
  @spt_seven_thirds,
  @gba_ratio,
  @powers_class_ends,
  @areas_class_ends,
  @gba_six_fifths,
  @no_idle_round,
  @busy_makespan,
  @completes_by,
  @path_bound,
  @paths_sound,
  @geometric_phases,
  @busy_sound,
  @exhaustive_sound,
  @blocks_sound,
  @schedule_cost_sound,
  @duals_sound,
  @check_sound,
  I
).

Print Assumptions every_theorem.
