(* Upper bounds: that given starts are a schedule, and what it costs.

   The memory is looked at only when something starts or completes; in between it grows. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import Model Sums.
Import ListNotations.
Open Scope Z_scope.

(* At a time, the memory in use in the rounds r after it changes by (constant + number r). *)
Record event := Event { time : Z; constant : Z; number : Z }.

Definition events (l : list attempt) : list event :=
  map (fun a => Event (start a) (prompt (of a) - start a) 1) l
  ++ map (fun a => Event (completion a) (start a - prompt (of a)) (-1)) l.

(* Events in order of time: runs that are in order already are merged in pairs, again and again.  That they come out in
   order need not be proved, as whoever goes through them looks at that; that they are the same is.  Everything calls
   itself last, as there may be millions. *)
Module Sort.
  Fixpoint runs_from (l run : list event) (found : list (list event)) : list (list event) :=
    match l with
    | [] => rev_append run [] :: found
    | e :: rest =>
        match run with
        | last :: _ => if time last <=? time e then runs_from rest (e :: run) found
                       else runs_from rest [e] (rev_append run [] :: found)
        | [] => runs_from rest [e] found
        end
    end.

  (* Two lists in one, the last event first. *)
  Fixpoint merge_onto (l : list event) : list event -> list event -> list event :=
    fix go (l' found : list event) : list event :=
      match l, l' with
      | [], _ => rev_append l' found
      | _, [] => rev_append l found
      | x :: rest, y :: rest' => if time x <=? time y then merge_onto rest l' (x :: found) else go rest' (y :: found)
      end.

  (* Neighbours in one; lists stand in reverse order in what is found. *)
  Fixpoint merge_pairs (lists found : list (list event)) : list (list event) :=
    match lists with
    | l :: l' :: rest => merge_pairs rest (rev_append (merge_onto l l' []) [] :: found)
    | [l] => l :: found
    | [] => found
    end.
  Fixpoint merge_all (rounds : nat) (lists : list (list event)) : list event :=
    match rounds, lists with
    | _, [l] => l
    | S rounds', _ => merge_all rounds' (rev_append (merge_pairs lists []) [])
    | O, _ => concat lists
    end.

  Definition sort (l : list event) : list event := merge_all (Z.to_nat 64) (rev_append (runs_from l [] []) []).

  (* --- They are the same --- *)

  Lemma rev_append_same {A : Type} (l l' : list A) : Permutation (rev_append l l') (l ++ l').
  Proof. rewrite rev_append_rev. apply Permutation_app_tail, Permutation_sym, Permutation_rev. Qed.

  Lemma runs_same l : forall run found, Permutation (concat (runs_from l run found)) (l ++ run ++ concat found).
  Proof.
    induction l as [|e l IH]; intros run found; cbn [runs_from concat app].
    - rewrite rev_append_same, app_nil_r. reflexivity.
    - destruct run as [|last run].
      + rewrite IH. cbn [app]. apply Permutation_sym, Permutation_middle.
      + destruct (time last <=? time e); rewrite IH.
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
      + cbn [merge_onto]. destruct (time x <=? time y).
        * rewrite IH. change ((x :: l) ++ (y :: l') ++ found) with (x :: l ++ (y :: l') ++ found).
          rewrite !app_assoc. apply Permutation_sym, Permutation_middle.
        * etransitivity; [apply IH'|]. apply Permutation_app_head, Permutation_sym, (Permutation_middle l').
  Qed.

  Lemma pairs_same n : forall lists found, (length lists <= n)%nat ->
    Permutation (concat (merge_pairs lists found)) (concat lists ++ concat found).
  Proof.
    induction n as [|n IH]; intros [|l [|l' lists]] found Hn; cbn [merge_pairs concat app length] in *; try lia; try reflexivity.
    - rewrite app_nil_r. reflexivity.
    - rewrite IH by lia. cbn [concat]. rewrite rev_append_same, app_nil_r, merge_same, app_nil_r.
      rewrite app_assoc. apply Permutation_app_tail. rewrite (app_assoc l l'). apply Permutation_app_comm.
  Qed.

  Lemma concat_same (lists lists' : list (list event)) : Permutation lists lists' -> Permutation (concat lists) (concat lists').
  Proof.
    induction 1 as [|x l l' _ IH|x y l|l l' l'' _ IH1 _ IH2]; cbn [concat].
    - reflexivity.
    - apply Permutation_app_head, IH.
    - rewrite !app_assoc. apply Permutation_app_tail, Permutation_app_comm.
    - etransitivity; eassumption.
  Qed.

  Lemma reversed_same (lists : list (list event)) : Permutation (concat (rev_append lists [])) (concat lists).
  Proof. apply concat_same. rewrite rev_append_rev, app_nil_r. apply Permutation_sym, Permutation_rev. Qed.

  Lemma all_same rounds : forall lists, Permutation (merge_all rounds lists) (concat lists).
  Proof.
    assert (Hone : forall l : list event, Permutation l (concat [l])).
    { intros l. cbn [concat]. rewrite app_nil_r. apply Permutation_refl. }
    assert (Hstep : forall lists, Permutation (concat (rev_append (merge_pairs lists []) [])) (concat lists)).
    { intros lists. eapply Permutation_trans; [apply reversed_same|].
      eapply Permutation_trans; [apply (pairs_same _ _ _ (le_n _))|]. cbn [concat]. rewrite app_nil_r. apply Permutation_refl. }
    induction rounds as [|n IH]; intros [|l [|l' lists]]; cbn [merge_all].
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
End Sort.
Global Opaque Sort.sort.

(* After the events so far, the last of them at time `last`, c + k r tokens are in use. *)
Fixpoint scan (M last c k : Z) (l : list event) : bool :=
  match l with
  | [] => (k =? 0) && (c <=? M)
  | e :: rest =>
      (last <=? time e)
      && (if last <? time e then (0 <=? k) && (c + k * time e <=? M) else true)
      && scan M (time e) (c + constant e) (k + number e) rest
  end.

Definition valid_check (a : attempt) : bool :=
  (0 <=? prompt (of a)) && (1 <=? output (of a)) && (0 <=? release (of a))
  && (release (of a) <=? start a).

(* Found are those so far, the last one first. *)
Fixpoint attempts_from (requests : list request) (starts : list Z) (found : list attempt) : option (list attempt) :=
  match requests, starts with
  | [], [] => Some (rev_append found [])
  | q :: requests', t :: starts' => attempts_from requests' starts' (Attempt q t :: found)
  | _, _ => None
  end.
Definition attempts (requests : list request) (starts : list Z) : option (list attempt) := attempts_from requests starts [].

(* The cost of these starts, if they are a schedule. *)
Definition schedule_cost (M : Z) (requests : list request) (starts : list Z) : option Z :=
  match attempts requests starts with
  | Some l => if forallb valid_check l && scan M (-1) 0 0 (Sort.sort (events l)) then Some (cost l) else None
  | None => None
  end.

(* --- Proofs ------------------------------------------------------------------------------ *)

Definition in_use (l : list event) (r : Z) : Z :=
  total (fun e => if time e <? r then constant e + number e * r else 0) l.

Lemma scan_spec M l : forall last c k, scan M last c k l = true ->
  (forall e, In e l -> last <= time e) /\ forall r, last < r -> c + k * r + in_use l r <= M.
Proof.
  induction l as [|e l IH]; intros last c k H; cbn [scan] in H.
  - split; [intros e []|]. intros r Hr. unfold in_use. cbn [total]. nia.
  - apply andb_true_iff in H as [H Hrest]. apply andb_true_iff in H as [Hlast Hhere].
    destruct (IH _ _ _ Hrest) as [Hafter Hin]. split.
    + intros e' [<-|He']; [lia|]. specialize (Hafter e' He'). lia.
    + intros r Hr. unfold in_use. cbn [total]. fold (in_use l r).
      destruct (Z.ltb_spec (time e) r) as [Hlt|Hge].
      * specialize (Hin r Hlt). lia.
      * assert (E : in_use l r = 0).
        { unfold in_use. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
          intros e' He'. specialize (Hafter e' He'). destruct (Z.ltb_spec (time e') r); lia. }
        rewrite E. destruct (Z.ltb_spec last (time e)); [|lia]. nia.
Qed.

Lemma events_memory l r : Forall valid l -> in_use (events l) r = memory l r.
Proof.
  intros Hvalid. unfold in_use, events, memory. rewrite total_app, !total_map, <- total_add.
  apply total_ext. intros a Ha. rewrite Forall_forall in Hvalid.
  destruct (Hvalid a Ha) as [[_ Ho] _]. cbn [time constant number]. unfold use, completion.
  destruct (Z.ltb_spec (start a) r), (Z.ltb_spec (start a + output (of a)) r),
    (Z.leb_spec r (start a + output (of a))); cbn [andb]; lia.
Qed.

Lemma attempts_spec requests starts l :
  attempts requests starts = Some l -> map of l = requests /\ map start l = starts.
Proof.
  assert (H : forall requests starts found, attempts_from requests starts found = Some l ->
      map of l = map of (rev found) ++ requests /\ map start l = map start (rev found) ++ starts).
  { clear. induction requests as [|q requests IH]; intros [|t starts] found H; cbn [attempts_from] in H; try discriminate.
    - inversion H. rewrite rev_append_rev, !app_nil_r. auto.
    - destruct (IH _ _ H) as [-> ->]. cbn [rev]. rewrite !map_app, <- !app_assoc. auto. }
  intros E. apply (H _ _ [] E).
Qed.

(* What is returned is the cost of a schedule with these starts. *)
Theorem schedule_cost_sound M requests starts u :
  schedule_cost M requests starts = Some u ->
  exists l, schedule M requests l /\ map start l = starts /\ cost l = u.
Proof.
  unfold schedule_cost. destruct (attempts requests starts) as [l|] eqn:E; [|discriminate].
  destruct (forallb valid_check l && _) eqn:Hok; [|discriminate]. intros H. inversion H. clear H.
  apply andb_true_iff in Hok as [Hv Hscan]. destruct (attempts_spec _ _ _ E) as [Hof Hstarts].
  assert (Hvalid : Forall valid l).
  { apply Forall_forall. intros a Ha. rewrite forallb_forall in Hv. specialize (Hv a Ha).
    unfold valid_check in Hv. repeat split; lia. }
  exists l. repeat split; auto. intros r. rewrite <- events_memory by exact Hvalid.
  unfold in_use. rewrite (total_permutation _ _ _ (Sort.Permuted_sort (events l))).
  fold (in_use (Sort.sort (events l)) r). destruct (scan_spec _ _ _ _ _ Hscan) as [Hafter Hin].
  destruct (Z.lt_ge_cases (-1) r) as [Hr|Hr]; [specialize (Hin r Hr); lia|].
  assert (E0 : in_use (Sort.sort (events l)) r = 0).
  { unfold in_use. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
    intros e He. specialize (Hafter e He). destruct (Z.ltb_spec (time e) r); lia. }
  rewrite E0. specialize (Hin 0 ltac:(lia)).
  assert (E1 : in_use (Sort.sort (events l)) 0 = 0).
  { unfold in_use. rewrite <- (total_permutation _ _ _ (Sort.Permuted_sort (events l))).
    fold (in_use (events l) 0). rewrite events_memory by exact Hvalid. unfold memory.
    rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
    intros a Ha. rewrite Forall_forall in Hvalid. destruct (Hvalid a Ha) as [_ Hs]. unfold use.
    destruct (Z.ltb_spec (start a) 0); [lia|reflexivity]. }
  lia.
Qed.
