(* Lists in the order of their keys, the least first: runs that are in order already are merged in pairs, again and
   again.  That they come out in order is not proved, whoever needs that looks at it; that they are the same is.
   Everything calls itself last, as there may be millions. *)

From Coq Require Import ZArith List Lia Permutation.
Import ListNotations.
Open Scope Z_scope.

Module Sort.
Section Keys.
  Context {A : Type} (key : A -> Z).

  Fixpoint runs_from (l run : list A) (found : list (list A)) : list (list A) :=
    match l with
    | [] => rev_append run [] :: found
    | e :: rest =>
        match run with
        | last :: _ => if key last <=? key e then runs_from rest (e :: run) found
                       else runs_from rest [e] (rev_append run [] :: found)
        | [] => runs_from rest [e] found
        end
    end.

  (* Two lists in one, the last event first. *)
  Fixpoint merge_onto (l : list A) : list A -> list A -> list A :=
    fix go (l' found : list A) : list A :=
      match l, l' with
      | [], _ => rev_append l' found
      | _, [] => rev_append l found
      | x :: rest, y :: rest' => if key x <=? key y then merge_onto rest l' (x :: found) else go rest' (y :: found)
      end.

  (* Neighbours in one; lists stand in reverse order in what is found. *)
  Fixpoint merge_two_by_two (lists found : list (list A)) : list (list A) :=
    match lists with
    | l :: l' :: rest => merge_two_by_two rest (rev_append (merge_onto l l' []) [] :: found)
    | [l] => l :: found
    | [] => found
    end.
  Fixpoint merge_rounds (rounds : nat) (lists : list (list A)) : list A :=
    match rounds, lists with
    | _, [l] => l
    | S rounds', _ => merge_rounds rounds' (rev_append (merge_two_by_two lists []) [])
    | O, _ => concat lists
    end.

  Definition sort (l : list A) : list A := merge_rounds (Z.to_nat 64) (rev_append (runs_from l [] []) []).

  (* --- They are the same --- *)

  Lemma rev_append_same {B : Type} (l l' : list B) : Permutation (rev_append l l') (l ++ l').
  Proof. rewrite rev_append_rev. apply Permutation_app_tail, Permutation_sym, Permutation_rev. Qed.

  Lemma runs_same l : forall run found, Permutation (concat (runs_from l run found)) (l ++ run ++ concat found).
  Proof.
    induction l as [|e l IH]; intros run found; cbn [runs_from concat app].
    - rewrite rev_append_same, app_nil_r. reflexivity.
    - destruct run as [|last run].
      + rewrite IH. cbn [app]. apply Permutation_sym, Permutation_middle.
      + destruct (key last <=? key e); rewrite IH.
        * change ((e :: last :: run) ++ concat found) with (e :: (last :: run) ++ concat found).
          apply Permutation_sym, Permutation_middle.
        * cbn [concat]. rewrite rev_append_same, app_nil_r. cbn [app].
          change (l ++ e :: last :: run ++ concat found) with (l ++ e :: (last :: run ++ concat found)).
          apply Permutation_sym, Permutation_middle.
  Qed.

  Lemma merge_same l : forall l' found, Permutation (merge_onto l l' found) (l ++ l' ++ found).
  Proof.
    induction l as [|x l IH]; intros l' found.
    - destruct l' as [|y l']; [reflexivity|exact (rev_append_same (y :: l') found)].
    - revert found. induction l' as [|y l' IH']; intros found.
      + exact (rev_append_same (x :: l) found).
      + cbn [merge_onto]. destruct (key x <=? key y).
        * rewrite IH. change ((x :: l) ++ (y :: l') ++ found) with (x :: l ++ (y :: l') ++ found).
          rewrite !app_assoc. apply Permutation_sym, Permutation_middle.
        * etransitivity; [apply IH'|]. apply Permutation_app_head, Permutation_sym, (Permutation_middle l').
  Qed.

  Lemma pairs_same n : forall lists found, (length lists <= n)%nat ->
    Permutation (concat (merge_two_by_two lists found)) (concat lists ++ concat found).
  Proof.
    induction n as [|n IH]; intros [|l [|l' lists]] found Hn; cbn [merge_two_by_two concat app length] in *; try lia; try reflexivity.
    - rewrite app_nil_r. reflexivity.
    - rewrite IH by lia. cbn [concat]. rewrite rev_append_same, app_nil_r, merge_same, app_nil_r.
      rewrite app_assoc. apply Permutation_app_tail. rewrite (app_assoc l l'). apply Permutation_app_comm.
  Qed.

  Lemma concat_same (lists lists' : list (list A)) : Permutation lists lists' -> Permutation (concat lists) (concat lists').
  Proof.
    induction 1 as [|x l l' _ IH|x y l|l l' l'' _ IH1 _ IH2]; cbn [concat].
    - reflexivity.
    - apply Permutation_app_head, IH.
    - rewrite !app_assoc. apply Permutation_app_tail, Permutation_app_comm.
    - etransitivity; eassumption.
  Qed.

  Lemma reversed_same (lists : list (list A)) : Permutation (concat (rev_append lists [])) (concat lists).
  Proof. apply concat_same. rewrite rev_append_rev, app_nil_r. apply Permutation_sym, Permutation_rev. Qed.

  Lemma all_same rounds : forall lists, Permutation (merge_rounds rounds lists) (concat lists).
  Proof.
    assert (Hone : forall l : list A, Permutation l (concat [l])).
    { intros l. cbn [concat]. rewrite app_nil_r. apply Permutation_refl. }
    assert (Hstep : forall lists, Permutation (concat (rev_append (merge_two_by_two lists []) [])) (concat lists)).
    { intros lists. eapply Permutation_trans; [apply reversed_same|].
      eapply Permutation_trans; [apply (pairs_same _ _ _ (le_n _))|]. cbn [concat]. rewrite app_nil_r. apply Permutation_refl. }
    induction rounds as [|n IH]; intros [|l [|l' lists]]; cbn [merge_rounds].
    - apply Permutation_refl.
    - apply Hone.
    - apply Permutation_refl.
    - eapply Permutation_trans; [apply IH|apply Hstep].
    - apply Hone.
    - eapply Permutation_trans; [apply IH|apply Hstep].
  Qed.

  Lemma Permuted_sort l : Permutation l (sort l).
  Proof.
    apply Permutation_sym. unfold sort. generalize (Z.to_nat 64). intros n.
    eapply Permutation_trans; [apply all_same|]. eapply Permutation_trans; [apply reversed_same|].
    eapply Permutation_trans; [apply runs_same|]. cbn [app concat]. rewrite app_nil_r. apply Permutation_refl.
  Qed.
End Keys.
End Sort.
Global Opaque Sort.sort.
