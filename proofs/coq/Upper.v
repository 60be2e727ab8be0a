(* Upper bounds: that given starts are a schedule, and what it costs.

   The memory is looked at only when something starts or completes; in between it grows. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import Model Sums MergeSort.
Import ListNotations.
Open Scope Z_scope.

(* At a time, the memory in use in the rounds r after it changes by (constant + number r). *)
Record event := Event { time : Z; constant : Z; number : Z }.

Definition events (l : list attempt) : list event :=
  map (fun a => Event (start a) (prompt (of a) - start a) 1) l
  ++ map (fun a => Event (completion a) (start a - prompt (of a)) (-1)) l.

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
  | Some l => if forallb valid_check l && scan M (-1) 0 0 (Sort.sort time (events l)) then Some (cost l) else None
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
  unfold in_use. rewrite (total_permutation _ _ _ (Sort.Permuted_sort time (events l))).
  fold (in_use (Sort.sort time (events l)) r). destruct (scan_spec _ _ _ _ _ Hscan) as [Hafter Hin].
  destruct (Z.lt_ge_cases (-1) r) as [Hr|Hr]; [specialize (Hin r Hr); lia|].
  assert (E0 : in_use (Sort.sort time (events l)) r = 0).
  { unfold in_use. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
    intros e He. specialize (Hafter e He). destruct (Z.ltb_spec (time e) r); lia. }
  rewrite E0. specialize (Hin 0 ltac:(lia)).
  assert (E1 : in_use (Sort.sort time (events l)) 0 = 0).
  { unfold in_use. rewrite <- (total_permutation _ _ _ (Sort.Permuted_sort time (events l))).
    fold (in_use (events l) 0). rewrite events_memory by exact Hvalid. unfold memory.
    rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
    intros a Ha. rewrite Forall_forall in Hvalid. destruct (Hvalid a Ha) as [_ Hs]. unfold use.
    destruct (Z.ltb_spec (start a) 0); [lia|reflexivity]. }
  lia.
Qed.
