(* Start-time domains, for the rule "propagation" of FORMAT.md: compulsory parts and reduced costs.
   Lemma 3 and Theorem 4 of propagation.md.

   Starts from the horizon H on are not told apart: a start t stands for min (t, H). *)

From Coq Require Import ZArith List Lia Bool Permutation Sorted.
From Kvopt Require Import Model Sums Prices Upper Pieces FirstCompletion.
Import ListNotations.
Open Scope Z_scope.

(* What is known of the requests of a type in a node: which starts 0..H are possible, and for each
   of them, in order of their starts, a window of its start. *)
Record part := Part { kind : request; allowed : list bool; windows : list (Z * Z) }.

(* A function of all, None if it is so of one. *)
Fixpoint all_some {A B : Type} (f : A -> option B) (l : list A) : option (list B) :=
  match l with
  | [] => Some []
  | x :: rest =>
      match f x, all_some f rest with Some y, Some ys => Some (y :: ys) | _, _ => None end
  end.

(* --- Compulsory parts -------------------------------------------------------------------- *)

(* What a request certainly holds in round r. *)
Definition certain (H : Z) (q : request) (w : Z * Z) (r : Z) : Z :=
  if (snd w <? H) && (snd w <? r) && (r <=? fst w + output q) then prompt q + r - snd w else 0.

Definition certain_all (H : Z) (parts : list part) (r : Z) : Z :=
  total (fun g => total (fun w => certain H (kind g) w r) (windows g)) parts.

(* The last rounds of compulsory parts, with what is certainly held there. *)
Definition last_rounds (H : Z) (parts : list part) : list (Z * Z) :=
  map (fun e => (e, certain_all H parts e)) (nodup Z.eq_dec (flat_map (fun g =>
    map (fun w => fst w + output (kind g))
      (filter (fun w => snd w <? Z.min H (fst w + output (kind g))) (windows g))) parts)).

(* Whether a request with this window cannot start at t beside the others, who hold u less its own part
   in its last round. *)
Definition crowded (M H : Z) (q : request) (w : Z * Z) (busy_rounds : list (Z * Z)) (t u : Z) : bool :=
  (M <? prompt q + output q + (u - certain H q w (t + output q)))
  || existsb (fun x => (t <? fst x) && (fst x <=? t + output q)
       && (M <? prompt q + fst x - t + (snd x - certain H q w (fst x)))) busy_rounds.

(* The starts t, t + 1, ... that remain. *)
Fixpoint mask (M H : Z) (q : request) (w : Z * Z) (busy_rounds : list (Z * Z)) (t : Z)
    (starts : list bool) (held : list Z) : list bool :=
  match starts, held with
  | x :: starts', u :: held' =>
      (if x && (fst w <=? t) && (t <=? snd w)
       then (H <=? t) || negb (crowded M H q w busy_rounds t u) else false)
      :: mask M H q w busy_rounds (t + 1) starts' held'
  | _, _ => []
  end.

(* The first and the last start that remain. *)
Fixpoint span (t : Z) (found : option (Z * Z)) (starts : list bool) : option (Z * Z) :=
  match starts with
  | [] => found
  | x :: rest =>
      span (t + 1) (if x then match found with Some (a, _) => Some (a, t) | None => Some (t, t) end
                    else found) rest
  end.

Fixpoint either (xs ys : list bool) : list bool :=
  match xs, ys with
  | x :: xs', y :: ys' => (x || y) :: either xs' ys'
  | [], _ => ys
  | _, [] => xs
  end.

Definition pass_part (M H : Z) (parts : list part) (busy_rounds : list (Z * Z)) (g : part) : option part :=
  let held := map (fun t => certain_all H parts (Z.of_nat t + output (kind g))) (seq 0 (Z.to_nat H + 1)) in
  let own := map (fun w => mask M H (kind g) w busy_rounds 0 (allowed g) held) (windows g) in
  match all_some (span 0 None) own with
  | Some narrower => Some (Part (kind g) (fold_right either [] own) narrower)
  | None => None
  end.

Definition pass (M H : Z) (parts : list part) : option (list part) :=
  all_some (pass_part M H parts (last_rounds H parts)) parts.

Fixpoint equal_by {A : Type} (eq : A -> A -> bool) (l l' : list A) : bool :=
  match l, l' with
  | [], [] => true
  | x :: r, y :: r' => eq x y && equal_by eq r r'
  | _, _ => false
  end.
Definition same_windows (g g' : part) : bool :=
  equal_by (fun w w' => (fst w =? fst w') && (snd w =? snd w')) (windows g) (windows g').
Definition same_allowed (g g' : part) : bool := equal_by Bool.eqb (allowed g) (allowed g').

(* None if some request has no start left. *)
Fixpoint fit (fuel : nat) (M H : Z) (parts : list part) : option (list part) :=
  match fuel with
  | O => Some parts
  | S fuel' =>
      match pass M H parts with
      | None => None
      | Some narrower =>
          if equal_by same_windows parts narrower then Some narrower else fit fuel' M H narrower
      end
  end.

(* --- Reduced costs ----------------------------------------------------------------------- *)

(* The events at time t, and what is left. *)
Fixpoint advance_to (t c k : Z) (l : list event) : Z * Z * list event :=
  match l with
  | e :: rest =>
      if time e =? t then advance_to t (c + constant e) (k + number e) rest else (c, k, l)
  | [] => (c, k, [])
  end.

(* The values at t, ..., t + n; None if they do not rise from there on. *)
Fixpoint values_at (n : nat) (t c k : Z) (l : list event) : option (list Z) :=
  let '(c', k', l') := advance_to t c k l in
  match n with
  | O => match l' with [] => if 0 <=? k' then Some [c' + k' * t] else None | _ => None end
  | S n' =>
      match values_at n' (t + 1) c' k' l' with
      | Some rest => Some (c' + k' * t :: rest)
      | None => None
      end
  end.

Fixpoint least_allowed (starts : list bool) (costs : list Z) : option Z :=
  match starts, costs with
  | x :: starts', c :: costs' =>
      if x then Some (match least_allowed starts' costs' with Some m => Z.min c m | None => c end)
      else least_allowed starts' costs'
  | _, _ => None
  end.

Fixpoint keep (limit : Z) (starts : list bool) (costs : list Z) : list bool :=
  match starts, costs with
  | x :: starts', c :: costs' => (x && (c <=? limit)) :: keep limit starts' costs'
  | _, _ => []
  end.

(* The sum of the least costs of all requests. *)
Fixpoint sum_least (parts : list part) (costs : list (list Z)) : option Z :=
  match parts, costs with
  | g :: parts', c :: costs' =>
      match least_allowed (allowed g) c, sum_least parts' costs' with
      | Some m, Some s => Some (Z.of_nat (length (windows g)) * m + s)
      | _, _ => None
      end
  | _, _ => Some 0
  end.

Definition keep_part (spare : Z) (g : part) (costs : list Z) : part :=
  Part (kind g)
    match least_allowed (allowed g) costs with
    | Some m => keep (m + spare) (allowed g) costs
    | None => allowed g
    end (windows g).

Fixpoint keep_parts (spare : Z) (parts : list part) (costs : list (list Z)) : list part :=
  match parts, costs with
  | g :: parts', c :: costs' => keep_part spare g c :: keep_parts spare parts' costs'
  | _, _ => []
  end.

(* Starts that make a schedule too costly go, and what does not fit then, until nothing changes: the
   parts and the bound; None if no schedule below the cutoff G is left. *)
Fixpoint squeeze (fuel : nat) (M H D G value : Z) (costs : list (list Z)) (parts : list part)
    (bound : Z) : option (list part * Z) :=
  match fuel with
  | O => Some (parts, bound)
  | S fuel' =>
      match sum_least parts costs with
      | None => None
      | Some s =>
          let bound' := Z.max bound (ceil_div (value + s) D) in
          let spare := (G - 1) * D - (value + s) in
          if spare <? 0 then None
          else
            let fewer := keep_parts spare parts costs in
            if equal_by same_allowed parts fewer then Some (parts, bound')
            else
              match fit fuel' M H fewer with
              | None => None
              | Some narrower => squeeze fuel' M H D G value costs narrower bound'
              end
      end
  end.

(* --- Proofs: compulsory parts ------------------------------------------------------------ *)

Definition clip (H t : Z) : nat := Z.to_nat (Z.min t H).

(* What is known of a type is right for its requests, which start at these times. *)
Definition in_window_of (H : Z) (w : Z * Z) (t : Z) : Prop := fst w <= Z.min t H <= snd w.
Definition right_for (H : Z) (g : part) (x : request * list Z) : Prop :=
  kind g = fst x /\ Forall2 (in_window_of H) (windows g) (snd x) /\
  (forall t, In t (snd x) -> 0 <= t /\ nth (clip H t) (allowed g) false = true) /\
  StronglySorted Z.le (snd x) /\ snd x <> [].

(* All starts of a schedule, by type. *)
Definition truth_of (truth : list (request * list Z)) : list attempt :=
  flat_map (fun x => map (Attempt (fst x)) (snd x)) truth.

Lemma total_truth (f : attempt -> Z) truth :
  total f (truth_of truth) = total (fun x => total (fun t => f (Attempt (fst x) t)) (snd x)) truth.
Proof. unfold truth_of. rewrite total_flat_map. apply total_ext. intros x _. apply total_map. Qed.

(* Sums with f x <= h y differ by no less than at one place. *)
Lemma gap {A B : Type} (R : A -> B -> Prop) (f : A -> Z) (h : B -> Z) l l' :
  Forall2 R l l' -> (forall x y, In (x, y) (combine l l') -> R x y -> f x <= h y) ->
  total f l <= total h l' /\
  forall x y, In (x, y) (combine l l') -> total f l - f x <= total h l' - h y.
Proof.
  induction 1 as [|x y l l' Hxy HR IH]; intros H; cbn [total combine] in *; [split; [lia|intros x y []]|].
  destruct IH as [IH1 IH2]; [intros a b Hab; apply H; right; exact Hab|].
  pose proof (H x y (or_introl eq_refl) Hxy). split; [lia|].
  intros a b [E|Hab]; [inversion E; subst; lia|]. specialize (IH2 a b Hab). lia.
Qed.

Lemma certain_le H q w t r : in_window_of H w t -> 0 <= prompt q -> certain H q w r <= use (Attempt q t) r.
Proof.
  intros Hw Hq. unfold in_window_of in Hw. unfold certain, use, completion. cbn [start of].
  destruct (Z.ltb_spec (snd w) H), (Z.ltb_spec (snd w) r), (Z.leb_spec r (fst w + output q)); cbn [andb];
    destruct (Z.ltb_spec t r), (Z.leb_spec r (t + output q)); cbn [andb]; lia.
Qed.

Section Fixed.
  (* A schedule. *)
  Context (M H : Z) (truth : list (request * list Z)).
  Context (Hprompt : forall x, In x truth -> 0 <= prompt (fst x) /\ 1 <= output (fst x)).
  Context (Hfits : forall r, memory (truth_of truth) r <= M) (HH : 0 <= H).

  Definition all_right (parts : list part) : Prop := Forall2 (right_for H) parts truth.

  (* What all others hold for certain, and one request's own: at most M. *)
  Lemma beside parts g x w t r : all_right parts ->
    In (g, x) (combine parts truth) -> In (w, t) (combine (windows g) (snd x)) ->
    t < r <= t + output (kind g) ->
    prompt (kind g) + r - t + (certain_all H parts r - certain H (kind g) w r) <= M.
  Proof.
    intros Hright Hgx Hwt Hr. specialize (Hfits r). unfold memory in Hfits. rewrite total_truth in Hfits.
    assert (Hparts : forall a b, In (a, b) (combine parts truth) -> right_for H a b ->
        total (fun v => certain H (kind a) v r) (windows a) <=
        total (fun s => use (Attempt (fst b) s) r) (snd b) /\
        forall v s, In (v, s) (combine (windows a) (snd b)) ->
        total (fun v => certain H (kind a) v r) (windows a) - certain H (kind a) v r <=
        total (fun s => use (Attempt (fst b) s) r) (snd b) - use (Attempt (fst b) s) r).
    { intros a b Hab (E & Hw & _). apply (gap (in_window_of H)); [exact Hw|].
      intros v s _ Hvs. rewrite E. apply certain_le; [exact Hvs|].
      apply Hprompt. apply in_combine_r in Hab. exact Hab. }
    destruct (gap (right_for H) (fun a => total (fun v => certain H (kind a) v r) (windows a))
      (fun b => total (fun s => use (Attempt (fst b) s) r) (snd b)) parts truth Hright) as [_ Hgap].
    { intros a b Hab HR. apply (Hparts a b Hab HR). }
    specialize (Hgap g x Hgx).
    assert (HR : right_for H g x).
    { clear -Hright Hgx. unfold all_right in Hright. induction Hright as [|a b l l' Hab HR IH]; [destruct Hgx|].
      cbn [combine] in Hgx. destruct Hgx as [E|Hgx]; [inversion E; subst; exact Hab|apply IH, Hgx]. }
    destruct (Hparts g x Hgx HR) as [_ Hown]. specialize (Hown w t Hwt). destruct HR as (E & _).
    assert (Huse : use (Attempt (fst x) t) r = prompt (kind g) + r - t).
    { rewrite E. unfold use, completion. cbn [start of]. rewrite E in Hr.
      destruct (Z.ltb_spec t r); [|lia]. destruct (Z.leb_spec r (t + output (fst x))); cbn [andb]; lia. }
    unfold certain_all. lia.
  Qed.

  Lemma not_crowded parts g x w t : all_right parts ->
    In (g, x) (combine parts truth) -> In (w, t) (combine (windows g) (snd x)) ->
    crowded M H (kind g) w (last_rounds H parts) t (certain_all H parts (t + output (kind g))) = false.
  Proof.
    intros Hright Hgx Hwt. unfold crowded. apply orb_false_iff. split.
    - pose proof (Hprompt x (in_combine_r _ _ _ _ Hgx)) as [_ Ho].
      assert (E : kind g = fst x).
      { clear -Hright Hgx. unfold all_right in Hright. induction Hright as [|a b l l' Hab HR IH]; [destruct Hgx|].
        cbn [combine] in Hgx. destruct Hgx as [E|Hgx]; [inversion E; subst; apply Hab|apply IH, Hgx]. }
      pose proof (beside parts g x w t (t + output (kind g)) Hright Hgx Hwt) as Hb. rewrite E in *.
      specialize (Hb ltac:(lia)). apply Z.ltb_ge. lia.
    - destruct (existsb _ _) eqn:Eb; [|reflexivity]. exfalso. apply existsb_exists in Eb as (y & Hy & Eb).
      apply andb_true_iff in Eb as [Eb Elt]. apply andb_true_iff in Eb as [E1 E2].
      unfold last_rounds in Hy. apply in_map_iff in Hy as (e & <- & _). cbn [fst snd] in *.
      pose proof (beside parts g x w t e Hright Hgx Hwt). lia.
  Qed.

  Lemma mask_keeps q w busy_rounds : forall p t xs us,
    nth p xs false = true -> (p < length us)%nat ->
    fst w <= t + Z.of_nat p <= snd w ->
    (t + Z.of_nat p < H -> crowded M H q w busy_rounds (t + Z.of_nat p) (nth p us 0) = false) ->
    nth p (mask M H q w busy_rounds t xs us) false = true.
  Proof.
    induction p as [|p IH]; intros t [|x xs] [|u us] Hx Hus Hw Hc; cbn [nth length mask] in *; try lia;
      try discriminate.
    - rewrite Z.add_0_r in *. subst x. cbn [andb].
      destruct (Z.leb_spec (fst w) t), (Z.leb_spec t (snd w)); cbn [andb]; try lia.
      destruct (Z.leb_spec H t); [reflexivity|]. rewrite Hc by lia. reflexivity.
    - apply IH; [exact Hx|lia|lia|]. intros Ht. replace (t + 1 + Z.of_nat p) with (t + Z.of_nat (S p)) by lia.
      apply Hc. lia.
  Qed.

  Lemma span_found : forall xs t a b, b <= t ->
    exists b', span t (Some (a, b)) xs = Some (a, b') /\ b <= b'.
  Proof.
    induction xs as [|x xs IH]; intros t a b Hb; cbn [span]; [exists b; split; [reflexivity|lia]|].
    destruct x.
    - destruct (IH (t + 1) a t ltac:(lia)) as (b' & E & Hle). exists b'. split; [exact E|lia].
    - destruct (IH (t + 1) a b ltac:(lia)) as (b' & E & Hle). exists b'. split; [exact E|lia].
  Qed.

  Lemma span_some : forall p xs t found,
    (match found with Some (a, b) => a <= t /\ b <= t | None => True end) ->
    nth p xs false = true ->
    exists a b, span t found xs = Some (a, b) /\ a <= t + Z.of_nat p <= b.
  Proof.
    induction p as [|p IH]; intros [|x xs] t found Hf Hx; cbn [nth span] in *; try discriminate.
    - subst x. destruct found as [[a b]|].
      + destruct (span_found xs (t + 1) a t ltac:(lia)) as (b' & E & Hle). exists a, b'. split; [exact E|lia].
      + destruct (span_found xs (t + 1) t t ltac:(lia)) as (b' & E & Hle). exists t, b'. split; [exact E|lia].
    - destruct (IH xs (t + 1) (if x then match found with Some (a, _) => Some (a, t) | None => Some (t, t) end
        else found)) as (a & b & E & Hab).
      + destruct x, found as [[a b]|]; auto; lia.
      + exact Hx.
      + exists a, b. split; [exact E|lia].
  Qed.

  Lemma either_l xs ys p : nth p xs false = true -> nth p (either xs ys) false = true.
  Proof.
    revert xs ys. induction p as [|p IH]; intros [|x xs] [|y ys] Hx; cbn [nth either] in *; try discriminate;
      try assumption; [rewrite Hx; reflexivity|]. apply IH, Hx.
  Qed.

  Lemma either_r xs ys p : nth p ys false = true -> nth p (either xs ys) false = true.
  Proof.
    revert xs ys. induction p as [|p IH]; intros [|x xs] [|y ys] Hy; cbn [nth either] in *; try discriminate;
      try assumption; [rewrite Hy; apply orb_true_r|]. apply IH, Hy.
  Qed.

  (* Windows and starts of one type after a pass. *)
  Lemma spans_right (own : Z * Z -> list bool) ws ts :
    Forall2 (in_window_of H) ws ts ->
    (forall w t, In (w, t) (combine ws ts) -> 0 <= t /\ nth (clip H t) (own w) false = true) ->
    exists ws', all_some (span 0 None) (map own ws) = Some ws' /\ Forall2 (in_window_of H) ws' ts /\
      forall t, In t ts -> nth (clip H t) (fold_right either [] (map own ws)) false = true.
  Proof.
    induction 1 as [|w t ws ts Hw HF IH]; intros Hown; cbn [map all_some fold_right].
    - exists []. split; [reflexivity|]. split; [constructor|intros t []].
    - destruct IH as (ws' & E & HF' & Hin); [intros a b Hab; apply Hown; right; exact Hab|].
      destruct (Hown w t (or_introl eq_refl)) as [Ht0 Ht].
      destruct (span_some (clip H t) (own w) 0 None I Ht) as (a & b & Es & Hab).
      rewrite Es, E. exists ((a, b) :: ws'). split; [reflexivity|]. split.
      + constructor; [|exact HF']. unfold in_window_of, clip in *. cbn [fst snd]. lia.
      + intros t' [<-|Ht']; [apply either_l, Ht|apply either_r, Hin, Ht'].
  Qed.

  Lemma all_some_right (f : part -> option part) parts :
    all_right parts ->
    (forall g x, In (g, x) (combine parts truth) -> right_for H g x -> exists g', f g = Some g' /\ right_for H g' x) ->
    exists parts', all_some f parts = Some parts' /\ all_right parts'.
  Proof.
    unfold all_right. clear Hprompt Hfits. intros Hright.
    induction Hright as [|g x l l' Hgx HR IH]; intros Hf; cbn [all_some].
    - exists []. split; [reflexivity|constructor].
    - destruct (Hf g x (or_introl eq_refl) Hgx) as (g' & E & Hg').
      destruct IH as (parts' & E' & HR'); [intros a b Hab; apply Hf; right; exact Hab|].
      rewrite E, E'. exists (g' :: parts'). split; [reflexivity|constructor; assumption].
  Qed.

  (* Lemma 3. *)
  Lemma pass_right parts : all_right parts ->
    exists parts', pass M H parts = Some parts' /\ all_right parts'.
  Proof.
    intros Hright. apply all_some_right; [exact Hright|]. intros g x Hgx (E & Hw & Hin & Hsorted & Hne).
    unfold pass_part.
    set (held := map _ (seq 0 (Z.to_nat H + 1))).
    destruct (spans_right (fun w => mask M H (kind g) w (last_rounds H parts) 0 (allowed g) held)
      (windows g) (snd x) Hw) as (ws' & Es & HF & Hu).
    { intros w t Hwt. destruct (Hin t (in_combine_r _ _ _ _ Hwt)) as [Ht0 Hall]. split; [exact Ht0|].
      assert (Hwin : in_window_of H w t).
      { clear -Hw Hwt. induction Hw as [|a b l l' Hab HR IH]; [destruct Hwt|].
        cbn [combine] in Hwt. destruct Hwt as [E|Hwt]; [inversion E; subst; exact Hab|apply IH, Hwt]. }
      unfold in_window_of in Hwin.
      assert (Hp : Z.of_nat (clip H t) = Z.min t H) by (unfold clip; lia).
      assert (Hlen : (clip H t < length held)%nat) by (unfold held; rewrite map_length, seq_length; unfold clip; lia).
      apply mask_keeps; [exact Hall|exact Hlen|lia|]. intros Hlt.
      assert (Ht : 0 + Z.of_nat (clip H t) = t) by lia.
      assert (Hnth : nth (clip H t) held 0 = certain_all H parts (t + output (kind g))).
      { rewrite (nth_indep held 0 (certain_all H parts (Z.of_nat 0 + output (kind g))) Hlen).
        unfold held. rewrite (map_nth (fun t => certain_all H parts (Z.of_nat t + output (kind g)))).
        rewrite seq_nth by (unfold clip; lia). f_equal. lia. }
      rewrite Ht, Hnth. apply (not_crowded parts g x w t Hright Hgx Hwt). }
    rewrite Es. eexists. split; [reflexivity|]. unfold right_for. cbn [kind windows allowed].
    split; [exact E|]. split; [exact HF|]. split; [|split; assumption].
    intros t Ht. split; [apply Hin, Ht|apply Hu, Ht].
  Qed.

  Lemma fit_right fuel : forall parts, all_right parts ->
    exists parts', fit fuel M H parts = Some parts' /\ all_right parts'.
  Proof.
    induction fuel as [|fuel IH]; intros parts Hright; cbn [fit]; [exists parts; auto|].
    destruct (pass_right parts Hright) as (parts' & E & Hright'). rewrite E.
    destruct (equal_by _ _ _); [exists parts'; auto|apply IH, Hright'].
  Qed.

  (* --- Reduced costs ---------------------------------------------------------------------- *)

  Lemma advance_to_spec t l : forall c k c' k' l', advance_to t c k l = (c', k', l') ->
    (forall x, t <= x -> c + k * x + changed_by l x = c' + k' * x + changed_by l' x) /\
    (forall e, In e l -> In e l' \/ time e = t).
  Proof.
    induction l as [|e l IH]; intros c k c' k' l' E; cbn [advance_to] in E.
    - inversion E. subst. split; [reflexivity|intros e []].
    - destruct (Z.eqb_spec (time e) t) as [Ht|Ht].
      + destruct (IH _ _ _ _ _ E) as [H1 H2]. split.
        * intros x Hx. rewrite <- H1 by exact Hx. unfold changed_by. cbn [total].
          destruct (Z.leb_spec (time e) x); lia.
        * intros e' [<-|He']; [right; exact Ht|apply H2, He'].
      + inversion E. subst. split; [reflexivity|auto].
  Qed.

  Lemma values_at_spec : forall n t c k l vs, values_at n t c k l = Some vs ->
    (forall e, In e l -> t <= time e) /\ length vs = S n /\
    (forall p, (p <= n)%nat -> nth p vs 0 = c + k * (t + Z.of_nat p) + changed_by l (t + Z.of_nat p)) /\
    (forall x, t + Z.of_nat n <= x -> nth n vs 0 <= c + k * x + changed_by l x).
  Proof.
    induction n as [|n IH]; intros t c k l vs E; cbn [values_at] in E;
      destruct (advance_to t c k l) as [[c' k'] l'] eqn:Ea; destruct (advance_to_spec _ _ _ _ _ _ _ Ea) as [H1 H2].
    - destruct l' as [|e l']; [|discriminate]. destruct (Z.leb_spec 0 k'); [|discriminate]. inversion E. subst vs.
      split; [intros e He; destruct (H2 e He) as [[]|]; lia|]. split; [reflexivity|]. split.
      + intros p Hp. replace p with 0%nat by lia. cbn [nth]. rewrite Z.add_0_r, H1 by lia.
        unfold changed_by. cbn [total]. lia.
      + intros x Hx. cbn [nth]. rewrite H1 by lia. unfold changed_by. cbn [total]. nia.
    - destruct (values_at n (t + 1) c' k' l') as [rest|] eqn:Er; [|discriminate]. inversion E. subst vs.
      destruct (IH _ _ _ _ _ Er) as (H3 & H4 & H5 & H6). split; [|split; [|split]].
      + intros e He. destruct (H2 e He) as [He'|He']; [specialize (H3 e He')|]; lia.
      + cbn [length]. rewrite H4. reflexivity.
      + intros [|p] Hp; cbn [nth].
        * rewrite Z.add_0_r, H1 by lia. assert (E0 : changed_by l' t = 0).
          { unfold changed_by. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
            intros e He. specialize (H3 e He). destruct (Z.leb_spec (time e) t); lia. }
          rewrite E0. lia.
        * rewrite H5, H1 by lia. replace (t + 1 + Z.of_nat p) with (t + Z.of_nat (S p)) by lia. reflexivity.
      + intros x Hx. cbn [nth]. rewrite H1 by lia. apply H6. lia.
  Qed.

  Lemma least_allowed_spec : forall p xs cs, nth p xs false = true -> (p < length cs)%nat ->
    exists m, least_allowed xs cs = Some m /\ m <= nth p cs 0.
  Proof.
    induction p as [|p IH]; intros [|x xs] [|c cs] Hx Hp; cbn [nth length least_allowed] in *; try lia; try discriminate.
    - subst x. eexists. split; [reflexivity|]. destruct (least_allowed xs cs); lia.
    - destruct (IH xs cs Hx ltac:(lia)) as (m & E & Hm). rewrite E.
      destruct x; eexists; (split; [reflexivity|lia]).
  Qed.

  Lemma keep_spec limit : forall p xs cs, nth p xs false = true -> (p < length cs)%nat ->
    nth p cs 0 <= limit -> nth p (keep limit xs cs) false = true.
  Proof.
    induction p as [|p IH]; intros [|x xs] [|c cs] Hx Hp Hc; cbn [nth length keep] in *; try lia; try discriminate.
    - subst x. cbn [andb]. lia.
    - apply IH; [exact Hx|lia|exact Hc].
  Qed.

  Lemma at_least_each (f : Z -> Z) m ts : (forall t, In t ts -> m <= f t) ->
    Z.of_nat (length ts) * m <= total f ts /\
    forall t, In t ts -> Z.of_nat (length ts) * m + (f t - m) <= total f ts.
  Proof.
    induction ts as [|x ts IH]; intros Hm; cbn [length total]; [split; [lia|intros t []]|].
    destruct IH as [IH1 IH2]; [intros t Ht; apply Hm; right; exact Ht|].
    pose proof (Hm x (or_introl eq_refl)). split; [lia|].
    intros t [<-|Ht]; [lia|]. specialize (IH2 t Ht). lia.
  Qed.

  (* Costs of a type are no more than what its starts are charged. *)
  Context (P : request -> Z -> Z).
  Definition cost_right (c : list Z) (x : request * list Z) : Prop :=
    (Z.to_nat H < length c)%nat /\ forall t, 0 <= t -> nth (clip H t) c 0 <= P (fst x) t.
  Definition charged : Z := total (fun x => total (P (fst x)) (snd x)) truth.

  Lemma clip_le t : (clip H t <= Z.to_nat H)%nat.
  Proof. unfold clip. lia. Qed.

  Lemma windows_length ws ts : Forall2 (in_window_of H) ws ts -> length ws = length ts.
  Proof. induction 1; cbn [length]; congruence. Qed.

  Lemma part_cost g x c : right_for H g x -> cost_right c x ->
    exists m, least_allowed (allowed g) c = Some m /\
      Z.of_nat (length (windows g)) * m <= total (P (fst x)) (snd x) /\
      forall t, In t (snd x) ->
        Z.of_nat (length (windows g)) * m + (nth (clip H t) c 0 - m) <= total (P (fst x)) (snd x).
  Proof.
    intros (E & Hw & Hin & _ & Hne) [Hlen Hc].
    assert (Hsome : exists m, least_allowed (allowed g) c = Some m).
    { destruct (snd x) as [|t ts]; [contradiction|]. destruct (Hin t (or_introl eq_refl)) as [Ht Hall].
      destruct (least_allowed_spec (clip H t) (allowed g) c Hall) as (m & Em & _);
        [pose proof (clip_le t); lia|]. exists m. exact Em. }
    destruct Hsome as (m & Em). exists m. split; [exact Em|].
    assert (Hm : forall t, In t (snd x) -> m <= nth (clip H t) c 0).
    { intros t Ht. destruct (Hin t Ht) as [Ht0 Hall].
      destruct (least_allowed_spec (clip H t) (allowed g) c Hall) as (m' & Em' & Hm');
        [pose proof (clip_le t); lia|]. rewrite Em in Em'. inversion Em'. subst m'. exact Hm'. }
    rewrite (windows_length _ _ Hw).
    destruct (at_least_each (P (fst x)) m (snd x)) as [H1 H2].
    { intros t Ht. specialize (Hm t Ht). specialize (Hc t ltac:(apply Hin, Ht)). lia. }
    split; [exact H1|]. intros t Ht. specialize (H2 t Ht). specialize (Hc t ltac:(apply Hin, Ht)). lia.
  Qed.

  Lemma sum_least_spec parts costs l :
    Forall2 (right_for H) parts l -> Forall2 cost_right costs l ->
    exists s, sum_least parts costs = Some s /\
      s <= total (fun x => total (P (fst x)) (snd x)) l /\
      forall spare, total (fun x => total (P (fst x)) (snd x)) l <= s + spare ->
        Forall2 (right_for H) (keep_parts spare parts costs) l.
  Proof.
    intros HR. revert costs. induction HR as [|g x parts l Hgx HR IH]; intros costs HC;
      inversion HC as [|c x' costs' l' Hc HC' E1 E2]; subst; cbn [sum_least keep_parts total].
    - exists 0. split; [reflexivity|]. split; [lia|constructor].
    - destruct (IH costs' HC') as (s & Es & Hs & Hkeep).
      destruct (part_cost g x c Hgx Hc) as (m & Em & Hm & Hstarts). rewrite Em, Es.
      eexists. split; [reflexivity|]. split; [lia|]. intros spare Hspare. constructor.
      + destruct Hgx as (E & Hw & Hin & Hsorted & Hne). unfold keep_part. rewrite Em.
        split; [exact E|]. split; [exact Hw|]. split; [|split; assumption].
        intros t Ht. destruct (Hin t Ht) as [Ht0 Hall]. split; [exact Ht0|]. cbn [allowed].
        apply keep_spec; [exact Hall|pose proof (clip_le t); destruct Hc; lia|].
        specialize (Hstarts t Ht). lia.
      + apply Hkeep. lia.
  Qed.

  (* Theorem 4, and Lemma 3 after it, until nothing changes. *)
  Lemma squeeze_right D G value costs C : 1 <= D -> C < G ->
    value + charged <= D * C -> Forall2 cost_right costs truth ->
    forall fuel parts bound, all_right parts -> bound <= C ->
    exists parts' bound', squeeze fuel M H D G value costs parts bound = Some (parts', bound') /\
      all_right parts' /\ bound' <= C.
  Proof.
    intros HD HG Hvalue Hcosts. induction fuel as [|fuel IH]; intros parts bound Hright Hbound; cbn [squeeze].
    { exists parts, bound. auto. }
    destruct (sum_least_spec parts costs truth Hright Hcosts) as (s & Es & Hs & Hkeep). rewrite Es.
    fold charged in Hs, Hkeep. cbv zeta.
    assert (Hceil : ceil_div (value + s) D <= C).
    { unfold ceil_div. assert (- C <= - (value + s) / D); [|lia]. apply Z.div_le_lower_bound; nia. }
    assert (Hspare : 0 <= (G - 1) * D - (value + s)) by nia.
    destruct (Z.ltb_spec ((G - 1) * D - (value + s)) 0); [lia|].
    destruct (equal_by _ _ _); [exists parts, (Z.max bound (ceil_div (value + s) D)); repeat split; auto; lia|].
    destruct (fit_right fuel (keep_parts ((G - 1) * D - (value + s)) parts costs)) as (parts' & Ef & Hright').
    { apply Hkeep. nia. }
    rewrite Ef. apply IH; [exact Hright'|lia].
  Qed.
End Fixed.
