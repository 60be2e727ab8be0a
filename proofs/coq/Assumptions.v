(* What each theorem rests on.  "Closed under the global context" is printed for one that
   rests on nothing but definitions; the Makefile wants that for all of them, and wants
   all of them here. *)

From Kvopt Require Import Model Sums Staircase Completions Pipeline Spacing Prices Area
  BusyTime Shortest.

Print Assumptions no_kills.
Print Assumptions staircase.
Print Assumptions completions_enough.
Print Assumptions fits_check_sound.
Print Assumptions pipeline_peak.
Print Assumptions pipeline_peak_attained.
Print Assumptions no_drain.
Print Assumptions sps_peak.
Print Assumptions sps_memory.
Print Assumptions peak_closed_form.
Print Assumptions F_antitone.
Print Assumptions F_monotone.
Print Assumptions peak_increases.
Print Assumptions most_slots_exists.
Print Assumptions sps_utilisation.
Print Assumptions sps_third.
Print Assumptions sps2_fits.
Print Assumptions sps2_half.
Print Assumptions area_below_peak.
Print Assumptions tight_exists.
Print Assumptions tight_half.
Print Assumptions half_is_sharp.
Print Assumptions third_is_sharp.
Print Assumptions sps_monotone.
Print Assumptions sps2_monotone.
Print Assumptions tight_monotone.
Print Assumptions no_drain_rules.
Print Assumptions weak_duality.
Print Assumptions cheapest_le.
Print Assumptions leaf_sound.
Print Assumptions prices_sound.
Print Assumptions prices_sound_with_kills.
Print Assumptions area_bound.
Print Assumptions output_bound.
Print Assumptions busy_time.
Print Assumptions busy_time_memory.
Print Assumptions busy_time_slots.
Print Assumptions delta_memory.
Print Assumptions opt_third.
Print Assumptions spt_schedule.
Print Assumptions spt_cost.
Print Assumptions closing.
Print Assumptions spt_seven_thirds.
