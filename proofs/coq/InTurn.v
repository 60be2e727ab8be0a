(* Requests that start in turn, each as soon as it fits for its whole run: what SVF and SVF in
   batches do, and why a request waits. *)

From Coq Require Import ZArith List Lia Bool.
From Kvopt Require Import Model Sums Staircase Completions Area.
Import ListNotations.
Open Scope Z_scope.

(* The peak of a request, h = s + o. *)
Definition request_peak (q : request) : Z := prompt q + output q.

(* The start of the last of those that have started, the latest first; 0 if there is none. *)
Definition last_start (started : list attempt) : Z :=
  match started with
  | [] => 0
  | b :: _ => start b
  end.

(* Beside those that have started, a starts at the earliest time, not before the start of its
   predecessor, at which it fits for its whole run. *)
Definition earliest (M : Z) (started : list attempt) (a : attempt) : Prop :=
  last_start started <= start a /\ fits M (a :: started) /\
  forall t, last_start started <= t < start a -> ~ fits M (Attempt (of a) t :: started).

(* So do all of a list, one after the other. *)
Fixpoint in_turn (M : Z) (started l : list attempt) : Prop :=
  match l with
  | [] => True
  | a :: rest => earliest M started a /\ in_turn M (a :: started) rest
  end.

(* The same as a function: the earliest of n + 1 times from t on; when all that have started
   have completed, at the latest, a request fits. *)
Fixpoint first_fit (M : Z) (started : list attempt) (q : request) (t : Z) (n : nat) : Z :=
  match n with
  | O => t
  | S n' => if fits_check M (Attempt q t :: started) then t else first_fit M started q (t + 1) n'
  end.
Fixpoint drained (started : list attempt) : Z :=
  match started with
  | [] => 0
  | b :: rest => Z.max (completion b) (drained rest)
  end.
Definition earliest_start (M : Z) (started : list attempt) (q : request) : Z :=
  first_fit M started q (last_start started) (Z.to_nat (drained started - last_start started)).
Fixpoint start_in_turn (M : Z) (started : list attempt) (requests : list request) : list attempt :=
  match requests with
  | [] => []
  | q :: rest =>
      let a := Attempt q (earliest_start M started q) in a :: start_in_turn M (a :: started) rest
  end.

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma use_le_peak a r : valid a -> use a r <= if runs a r then request_peak (of a) else 0.
Proof.
  intros [[Hs Ho] Hp]. unfold use. fold (runs a r). destruct (runs a r) eqn:E; [|lia].
  unfold runs, completion, request_peak in *. lia.
Qed.

Lemma request_peak_pos q : valid_request q -> 0 < request_peak q.
Proof. intros [Hs Ho]. unfold request_peak. lia. Qed.

(* When all others have completed, a request fits that fits alone. *)
Lemma fits_after M started q t :
  Forall valid started -> fits M started -> valid (Attempt q t) -> request_peak q <= M -> 0 <= M ->
  (forall b, In b started -> completion b <= t) -> fits M (Attempt q t :: started).
Proof.
  intros Hvalid Hfits Hq HM H0 Hdone r. unfold memory. cbn [total]. fold (memory started r).
  destruct (Z.le_gt_cases r t) as [Hr|Hr].
  - unfold use. cbn [start]. replace (t <? r) with false by lia. apply Hfits.
  - rewrite idle_memory.
    + pose proof (use_le_peak _ r Hq) as H. cbn [of] in H. destruct (runs _ r); lia.
    + intros b Hb. specialize (Hdone b Hb). unfold runs. lia.
Qed.

Lemma drained_spec started b : In b started -> completion b <= drained started.
Proof.
  induction started as [|x rest IH]; intros []; cbn [drained]; [subst; lia|].
  specialize (IH H). lia.
Qed.

Lemma first_fit_spec M started q n : forall t,
  Forall valid started -> fits M started -> valid (Attempt q t) -> request_peak q <= M -> 0 <= M ->
  drained started <= t + Z.of_nat n ->
  let p := first_fit M started q t n in
  t <= p /\ fits M (Attempt q p :: started) /\
  forall t', t <= t' < p -> ~ fits M (Attempt q t' :: started).
Proof.
  induction n as [|n IH]; intros t Hvalid Hfits Hq HM H0 Hn; cbn [first_fit]; cbv zeta.
  - split; [lia|]. split; [|intros; lia]. apply fits_after; auto. intros b Hb.
    pose proof (drained_spec started b Hb). lia.
  - pose proof (fits_check_sound M (Attempt q t :: started) H0 (Forall_cons _ Hq Hvalid)) as Hcheck.
    destruct (fits_check M (Attempt q t :: started)) eqn:E.
    + split; [lia|]. split; [apply Hcheck; reflexivity|intros; lia].
    + assert (Hq' : valid (Attempt q (t + 1))).
      { destruct Hq as [H1 H2]. split; [exact H1|]. cbn [of start] in *. lia. }
      destruct (IH (t + 1)) as (H1 & H2 & H3); auto; [lia|]. split; [lia|]. split; [exact H2|].
      intros t' Ht'. destruct (Z.eq_dec t' t) as [->|]; [|apply H3; lia].
      intros Hf. apply Hcheck in Hf. discriminate.
Qed.

Lemma start_in_turn_spec M requests : forall started,
  0 <= M -> Forall valid started -> fits M started -> 0 <= last_start started ->
  (forall q, In q requests -> valid_request q /\ request_peak q <= M) -> at_once requests ->
  let l := start_in_turn M started requests in
  map of l = requests /\ Forall valid l /\ in_turn M started l.
Proof.
  induction requests as [|q rest IH]; intros started HM Hvalid Hfits Hlast Hreq Hrel;
    cbn [start_in_turn]; cbv zeta; [repeat split; constructor|].
  destruct (Hreq q (or_introl eq_refl)) as [Hq HqM]. pose proof (Hrel q (or_introl eq_refl)) as Hz.
  destruct (first_fit_spec M started q (Z.to_nat (drained started - last_start started)) (last_start started))
    as (H1 & H2 & H3); auto; [split; cbn [of start]; [exact Hq|lia]|lia|].
  fold (earliest_start M started q) in H1, H2, H3. set (a := Attempt q (earliest_start M started q)).
  assert (Ha : valid a) by (split; cbn [a of start]; [exact Hq|lia]).
  destruct (IH (a :: started)) as (I1 & I2 & I3); auto.
  - cbn [last_start a start]. lia.
  - intros q' Hq'. apply Hreq. simpl. auto.
  - intros q' Hq'. apply Hrel. simpl. auto.
  - cbn [map in_turn]. rewrite I1. repeat split; auto.
Qed.

(* Nothing is left open: the requests and their order determine the starts. *)
Lemma in_turn_unique M : forall l l' started,
  map of l = map of l' -> in_turn M started l -> in_turn M started l' -> l = l'.
Proof.
  induction l as [|[q p] l IH]; intros [|[q' p'] l'] started E H H'; try discriminate; [reflexivity|].
  inversion E as [[Eq El]]. cbn [of] in Eq. subst q'.
  destruct H as ((H1 & H2 & H3) & Hl), H' as ((H1' & H2' & H3') & Hl'). cbn [start of] in *.
  assert (p = p') as ->.
  { destruct (Z.lt_trichotomy p p') as [H|[H|H]]; [|exact H|].
    - destruct (H3' p); [lia|exact H2].
    - destruct (H3 p'); [lia|exact H2']. }
  f_equal. exact (IH l' _ El Hl Hl').
Qed.

(* The starts do not decrease, and everything fits. *)
Lemma in_turn_starts M : forall l started,
  in_turn M started l -> forall a, In a l -> last_start started <= start a.
Proof.
  induction l as [|x l IH]; intros started H a []; destruct H as [(H1 & _) Hl].
  - subst. exact H1.
  - specialize (IH _ Hl a H0). cbn [last_start] in IH. lia.
Qed.

Lemma in_turn_ordered M : forall l1 a l2 started,
  in_turn M started (l1 ++ a :: l2) -> forall b, In b l1 -> start b <= start a.
Proof.
  induction l1 as [|x l1 IH]; intros a l2 started H b Hb; [destruct Hb|].
  destruct H as [_ Hl]. destruct Hb as [->|Hb].
  - apply (in_turn_starts M _ _ Hl). apply in_or_app. simpl. auto.
  - exact (IH a l2 _ Hl b Hb).
Qed.

Lemma in_turn_fits M : forall l started, fits M started -> in_turn M started l -> fits M (rev l ++ started).
Proof.
  induction l as [|x l IH]; intros started Hfits H; [exact Hfits|]. destruct H as [(_ & Hx & _) Hl].
  cbn [rev]. rewrite <- app_assoc. apply IH; assumption.
Qed.

Lemma memory_rev l r : memory (rev l) r = memory l r.
Proof. unfold memory. apply total_permutation, Permutation.Permutation_sym, Permutation.Permutation_rev. Qed.

Lemma in_turn_schedule M l :
  0 <= M -> (forall a, In a l -> valid_request (of a)) -> at_once (map of l) -> in_turn M [] l ->
  schedule M (map of l) l.
Proof.
  intros HM Hreq Hrel H. repeat split.
  - apply Forall_forall. intros a Ha. pose proof (in_turn_starts M l [] H a Ha) as Hs. cbn in Hs.
    pose proof (Hrel (of a) (in_map of l a Ha)). split; [apply Hreq, Ha|lia].
  - intros r. rewrite <- memory_rev.
    pose proof (in_turn_fits M l []) as Hf. rewrite app_nil_r in Hf. apply Hf; [|exact H].
    intros r'. unfold memory. cbn. exact HM.
Qed.

(* The peaks of what runs in round t + 1. *)
Definition running_peaks (l : list attempt) (t : Z) : Z :=
  total (fun b => if runs b (t + 1) then request_peak (of b) else 0) l.

(* If they leave room for the peak of q, then q may start at t. *)
Lemma fits_beside M started q t :
  Forall valid started -> fits M started -> valid (Attempt q t) ->
  (forall b, In b started -> start b <= t) ->
  running_peaks started t + request_peak q <= M -> fits M (Attempt q t :: started).
Proof.
  intros Hvalid Hfits Hq Hbefore H r. unfold memory. cbn [total]. fold (memory started r).
  destruct (Z.le_gt_cases r t) as [Hr|Hr].
  - unfold use. cbn [start]. replace (t <? r) with false by lia. apply Hfits.
  - pose proof (use_le_peak _ r Hq) as Hu. cbn [of] in Hu.
    assert (0 < request_peak q) by (apply request_peak_pos, Hq).
    assert (memory started r <= running_peaks started t); [|destruct (runs _ r); lia].
    rewrite Forall_forall in Hvalid. apply total_le. intros b Hb.
    pose proof (use_le_peak b r (Hvalid b Hb)) as Hle. specialize (Hbefore b Hb).
    pose proof (request_peak_pos _ (proj1 (Hvalid b Hb))).
    unfold runs in *. destruct (start b <? t + 1) eqn:E1; [|lia].
    destruct (t + 1 <=? completion b) eqn:E2; cbn [andb].
    + destruct ((start b <? r) && (r <=? completion b)); lia.
    + replace (r <=? completion b) with false in Hle by lia. rewrite andb_false_r in Hle. exact Hle.
Qed.

(* Why a waits at time t: of the list up to a let j be the first that starts after t.  The peaks of
   what runs leave no room for that of j. *)
Lemma blocked_beside M t : forall k1 a k2 started,
  in_turn M started (k1 ++ a :: k2) -> Forall valid (k1 ++ a :: k2) ->
  at_once (map of (k1 ++ a :: k2)) ->
  Forall valid started -> fits M started -> (forall b, In b started -> start b <= last_start started) ->
  0 <= last_start started <= t -> t < start a ->
  exists l1 j l2, k1 ++ [a] = l1 ++ j :: l2 /\ (forall b, In b l1 -> start b <= t) /\ t < start j /\
    M < running_peaks l1 t + running_peaks started t + request_peak (of j).
Proof.
  assert (Hhead : forall x started, earliest M started x -> valid x -> release (of x) = 0 ->
    Forall valid started -> fits M started -> (forall b, In b started -> start b <= last_start started) ->
    0 <= last_start started <= t -> t < start x ->
    M < running_peaks started t + request_peak (of x)).
  { intros x started (_ & _ & Hno) Hx Hrel Hvalid Hfits Hlast Ht Hstart.
    apply Z.nle_gt. intros H. apply (Hno t); [lia|]. apply fits_beside; auto.
    - destruct Hx as [Hx _]. split; [exact Hx|]. cbn [of start]. lia.
    - intros b Hb. specialize (Hlast b Hb). lia. }
  induction k1 as [|x k1 IH]; intros a k2 started H Hv Hrel Hvalid Hfits Hlast Ht Hstart;
    cbn [app] in *; destruct H as [Hx Hl]; inversion Hv as [|? ? Hvx Hvl]; subst;
    pose proof (Hrel _ (or_introl eq_refl)) as Hz.
  - exists [], a, []. split; [reflexivity|]. split; [intros b []|]. split; [exact Hstart|].
    specialize (Hhead a started Hx Hvx Hz Hvalid Hfits Hlast Ht Hstart). unfold running_peaks at 1. cbn [total]. lia.
  - destruct (Z.lt_ge_cases t (start x)) as [Htx|Htx].
    + exists [], x, (k1 ++ [a]). split; [reflexivity|]. split; [intros b []|]. split; [exact Htx|].
      specialize (Hhead x started Hx Hvx Hz Hvalid Hfits Hlast Ht Htx). unfold running_peaks at 1. cbn [total]. lia.
    + destruct Hx as (H1 & H2 & _).
      destruct (IH a k2 (x :: started)) as (l1 & j & l2 & E & Hl1 & Hj & HM); auto.
      * intros q Hq. apply Hrel. cbn [map]. right. exact Hq.
      * intros b [<-|Hb]; cbn [last_start]; [lia|]. specialize (Hlast b Hb). lia.
      * cbn [last_start]. lia.
      * exists (x :: l1), j, l2. split; [cbn [app]; rewrite E; reflexivity|]. split.
        { intros b [<-|Hb]; [exact Htx|exact (Hl1 b Hb)]. }
        split; [exact Hj|]. unfold running_peaks in *. cbn [total] in *. lia.
Qed.

Lemma blocked M k1 a k2 t :
  0 <= M -> in_turn M [] (k1 ++ a :: k2) -> Forall valid (k1 ++ a :: k2) ->
  at_once (map of (k1 ++ a :: k2)) -> 0 <= t < start a ->
  exists l1 j l2, k1 ++ [a] = l1 ++ j :: l2 /\ (forall b, In b l1 -> start b <= t) /\ t < start j /\
    M < running_peaks l1 t + request_peak (of j).
Proof.
  intros HM H Hv Hrel Ht.
  destruct (blocked_beside M t k1 a k2 []) as (l1 & j & l2 & E & H1 & H2 & H3); auto.
  - intros r. unfold memory. cbn. exact HM.
  - intros b [].
  - cbn. lia.
  - lia.
  - exists l1, j, l2. unfold running_peaks at 2 in H3. cbn [total] in H3. repeat split; auto. lia.
Qed.

(* Over all rounds, an attempt runs in o of them. *)
Lemma rounds_run b c T : valid b ->
  sum_below T (fun j => if runs b (Z.of_nat j + 1) then c else 0) =
  c * Z.max 0 (Z.min (output (of b)) (Z.of_nat T - start b)).
Proof.
  intros [[_ Ho] Hp]. induction T as [|T IH]; cbn [sum_below].
  - replace (Z.max 0 _) with 0 by lia. lia.
  - rewrite IH. unfold runs, completion.
    destruct (start b <? Z.of_nat T + 1) eqn:E1, (Z.of_nat T + 1 <=? start b + output (of b)) eqn:E2;
      cbn [andb].
    + replace (Z.max 0 (Z.min (output (of b)) (Z.of_nat (S T) - start b)))
        with (Z.max 0 (Z.min (output (of b)) (Z.of_nat T - start b)) + 1) by lia. ring.
    + replace (Z.max 0 (Z.min (output (of b)) (Z.of_nat (S T) - start b)))
        with (Z.max 0 (Z.min (output (of b)) (Z.of_nat T - start b))) by lia. ring.
    + replace (Z.max 0 (Z.min (output (of b)) (Z.of_nat (S T) - start b)))
        with (Z.max 0 (Z.min (output (of b)) (Z.of_nat T - start b))) by lia. ring.
    + lia.
Qed.

Lemma rounds_run_le b c T : valid b -> 0 <= c ->
  sum_below T (fun j => if runs b (Z.of_nat j + 1) then c else 0) <= c * output (of b).
Proof.
  intros Hb Hc. rewrite rounds_run by exact Hb. apply Z.mul_le_mono_nonneg_l; [exact Hc|].
  destruct Hb as [[_ Ho] _]. lia.
Qed.

Lemma running_swap l T : sum_below T (fun j => running_peaks l (Z.of_nat j)) =
  total (fun b => sum_below T (fun j => if runs b (Z.of_nat j + 1) then request_peak (of b) else 0)) l.
Proof.
  unfold running_peaks. induction T as [|T IH]; cbn [sum_below].
  - rewrite total_const. lia.
  - rewrite IH, <- total_add. reflexivity.
Qed.

(* h o <= 2 v. *)
Lemma peak_output q : valid_request q -> request_peak q * output q <= 2 * area q.
Proof. intros [Hs Ho]. unfold request_peak, area. rewrite vol_double. nia. Qed.
