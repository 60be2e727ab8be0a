(* Certificates by prices: the rule "linear-duals" of FORMAT.md, with branch trees.

   `tree_bound` below is a checker of such certificates that can be executed in Coq, and
   `prices_sound` says that what it returns is a lower bound on the cost of every schedule. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import Model Sums Staircase.
Import ListNotations.
Open Scope Z_scope.

(* --- Rows -------------------------------------------------------------------------------- *)

(* A row is an inequality: the sum of the coefficients of all attempts of a schedule is at
   most the right-hand side.  It has a price, and a time from which on attempts that start
   have the coefficient 0. *)
Record row := Row { coefficient : attempt -> Z; right : Z; price : Z; until : Z }.

Definition holds (l : list attempt) (x : row) : Prop := total (coefficient x) l <= right x.

(* The memory in round r is at most M. *)
Definition memory_row (M r p : Z) : row := Row (fun a => use a r) M p r.

(* Level m, time u: at most m starts in the windows. *)
Definition staircase_row (M s_min m u p : Z) : row :=
  Row (fun a => if in_window M s_min m u a then 1 else 0) m p (u + 1).

(* A split lists types of requests, each with a time; N is the number of those that start
   before their time. *)
Definition same (q q' : request) : bool :=
  (prompt q =? prompt q') && (output q =? output q').

Definition counts (listed : list (request * Z)) (a : attempt) : Z :=
  if existsb (fun x => same (fst x) (of a) && (start a <? snd x)) listed then 1 else 0.

Definition latest (times : list Z) : Z := fold_right Z.max 0 times.

(* N <= b, and N >= b + 1, written -N <= -(b + 1). *)
Definition few_row (listed : list (request * Z)) (b p : Z) : row :=
  Row (counts listed) b p (latest (map snd listed)).
Definition many_row (listed : list (request * Z)) (b p : Z) : row :=
  Row (fun a => - counts listed a) (- (b + 1)) p (latest (map snd listed)).

(* --- The bound of a leaf ----------------------------------------------------------------- *)

(* The priced cost of an attempt, c_k (t) times the scale D. *)
Definition priced (D : Z) (rows : list row) (a : attempt) : Z :=
  D * completion a + total (fun x => price x * coefficient x a) rows.

(* The least of f 0, ..., f n. *)
Fixpoint least (n : nat) (f : Z -> Z) : Z :=
  match n with
  | O => f 0
  | S n' => Z.min (least n' f) (f (Z.of_nat n))
  end.

(* The cheapest start of a request no later than the last priced time. *)
Definition cheapest (D : Z) (rows : list row) (q : request) : Z :=
  least (Z.to_nat (latest (map until rows))) (fun t => priced D rows (Attempt q t)).

(* Types with their numbers; the requests that they stand for. *)
Definition expand (types : list (request * Z)) : list request :=
  flat_map (fun x => repeat (fst x) (Z.to_nat (snd x))) types.

(* The bound: sum of n_k (min of c_k) - sum of price * right-hand side, over D, rounded up. *)
Definition value (D : Z) (rows : list row) (types : list (request * Z)) : Z :=
  total (fun x => snd x * cheapest D rows (fst x)) types
  - total (fun x => price x * right x) rows.

Definition bound (D : Z) (rows : list row) (types : list (request * Z)) : Z :=
  ceil_div (value D rows types) D.

(* --- Trees ------------------------------------------------------------------------------- *)

(* First-completion rows (FirstCompletion.v) of the same heights, (rounds to go, height), with the
   prices of some rounds, (round, price); or with prices that are linear from round to round
   between these knots. *)
Record family := Family { heights : list (Z * Z); knots : bool; duals : list (Z * Z) }.

(* A leaf lists (round, price), (level, time, price), and a price for each split above it; and it
   may have families of first-completion rows. *)
Inductive tree :=
  | Leaf (on_memory : list (Z * Z)) (on_staircase : list (Z * Z * Z)) (on_branch : list Z)
  | LeafWith (families : list family) (on_memory : list (Z * Z)) (on_staircase : list (Z * Z * Z))
      (on_branch : list Z)
  | Split (listed : list (request * Z)) (at_most : Z) (few many : tree).

Definition smallest_prompt (types : list (request * Z)) : Z :=
  match types with
  | [] => 0
  | (q, _) :: rest => fold_right Z.min (prompt q) (map (fun x => prompt (fst x)) rest)
  end.

(* `above` holds the rows of the splits above, root first, their prices still open.  This checker
   knows no first-completion rows; that of LinearDuals.v does. *)
Fixpoint tree_bound
    (M D : Z) (types : list (request * Z)) (above : list (Z -> row)) (t : tree) : option Z :=
  match t with
  | Leaf on_memory on_staircase on_branch =>
      let rows :=
        map (fun x => memory_row M (fst x) (snd x)) on_memory
        ++ map (fun x => staircase_row M (smallest_prompt types) (fst (fst x)) (snd (fst x)) (snd x))
             on_staircase
        ++ map (fun x => fst x (snd x)) (combine above on_branch) in
      if (length above =? length on_branch)%nat
        && forallb (fun x => 0 <=? price x) rows
        && forallb (fun x => 1 <=? fst (fst x)) on_staircase
      then Some (bound D rows types)
      else None
  | LeafWith _ _ _ _ => None
  | Split listed b few many =>
      match tree_bound M D types (above ++ [few_row listed b]) few,
            tree_bound M D types (above ++ [many_row listed b]) many with
      | Some x, Some y => Some (Z.min x y)
      | _, _ => None
      end
  end.

(* The checker: the memory, the scale, the types with their numbers, the tree. *)
Definition prices_bound (M D : Z) (types : list (request * Z)) (t : tree) : option Z :=
  if (1 <=? D)
    && forallb (fun x => (0 <=? prompt (fst x)) && (0 <=? snd x) && (release (fst x) =? 0)) types
  then tree_bound M D types [] t
  else None.

(* --- Proofs ------------------------------------------------------------------------------ *)

(* Weak duality in integers, for any inequalities and any prices >= 0. *)
Theorem weak_duality D rows l :
  (forall x, In x rows -> 0 <= price x /\ holds l x) ->
  total (priced D rows) l - total (fun x => price x * right x) rows <= D * completions l.
Proof.
  intros H. unfold priced. rewrite total_add, total_scale. fold (completions l).
  rewrite (total_swap (fun a x => price x * coefficient x a)).
  assert (total (fun x => total (fun a => price x * coefficient x a) l) rows
      <= total (fun x => price x * right x) rows); [|lia].
  apply total_le. intros x Hx. rewrite total_scale. destruct (H x Hx) as [Hp Hrow].
  apply Z.mul_le_mono_nonneg_l; assumption.
Qed.

Lemma least_le n f t : 0 <= t <= Z.of_nat n -> least n f <= f t.
Proof.
  induction n as [|n IH]; intros Ht; cbn [least].
  - replace t with 0 by lia. lia.
  - destruct (Z.eq_dec t (Z.of_nat (S n))) as [->|Hne]; [lia|].
    specialize (IH ltac:(lia)). lia.
Qed.

Lemma latest_ge times t : In t times -> t <= latest times.
Proof.
  induction times as [|x times IH]; [intros []|]. cbn [latest fold_right].
  fold (latest times). intros [->|H]; [lia|]. specialize (IH H). lia.
Qed.

Lemma latest_nonneg times : 0 <= latest times.
Proof. induction times as [|x times IH]; cbn [latest fold_right]; [|fold (latest times)]; lia. Qed.

(* No horizon is trusted: from the last priced time on the priced cost only rises, so the
   cheapest start before it is the cheapest of all. *)
Theorem cheapest_le D rows q t :
  0 <= D -> 0 <= t ->
  (forall x a, In x rows -> until x <= start a -> coefficient x a = 0) ->
  cheapest D rows q <= priced D rows (Attempt q t).
Proof.
  intros HD Ht Hzero. unfold cheapest. set (last := latest (map until rows)).
  pose proof (latest_nonneg (map until rows)) as Hlast. fold last in Hlast.
  destruct (Z.le_gt_cases t last) as [H|H].
  - apply (least_le _ (fun t => priced D rows (Attempt q t))). lia.
  - eapply Z.le_trans; [apply (least_le _ (fun t => priced D rows (Attempt q t)) last); lia|].
    unfold priced.
    assert (H0 : forall t', last <= t' ->
        total (fun x => price x * coefficient x (Attempt q t')) rows = 0).
    { intros t' Ht'. rewrite (total_ext _ (fun _ => 0)).
      - rewrite total_const. lia.
      - intros x Hx. rewrite (Hzero x); [lia|exact Hx|].
        apply (in_map until) in Hx. apply latest_ge in Hx. simpl. fold last in Hx. lia. }
    rewrite !H0 by lia. unfold completion. cbn [start of]. nia.
Qed.

Lemma total_expand (f : request -> Z) types :
  (forall x, In x types -> 0 <= snd x) ->
  total f (expand types) = total (fun x => snd x * f (fst x)) types.
Proof.
  induction types as [|[q n] types IH]; intros H; simpl; [reflexivity|].
  rewrite total_app, IH by (intros x Hx; apply H; simpl; auto).
  specialize (H (q, n) (or_introl eq_refl)). simpl in H.
  replace n with (Z.of_nat (Z.to_nat n)) at 2 by lia.
  generalize (Z.to_nat n). intros k. f_equal. clear. induction k; simpl repeat; cbn [total]; lia.
Qed.

(* A leaf: for any prices >= 0 of rows that hold, the bound is at most the cost. *)
Theorem leaf_sound M requests l types D rows :
  schedule M requests l -> Permutation requests (expand types) ->
  (forall x, In x types -> 0 <= snd x) -> 1 <= D ->
  (forall x, In x rows -> 0 <= price x /\ holds l x) ->
  (forall x a, In x rows -> until x <= start a -> coefficient x a = 0) ->
  bound D rows types <= completions l.
Proof.
  intros (Hof & Hvalid & _) Hperm Hcounts HD Hrows Hzero.
  pose proof (weak_duality D rows l Hrows) as Hweak.
  assert (Hcheap : total (cheapest D rows) requests <= total (priced D rows) l).
  { rewrite <- Hof, total_map. apply total_le. intros a Ha. rewrite Forall_forall in Hvalid.
    destruct a as [q t]. apply (cheapest_le D rows q t); [lia| |exact Hzero].
    destruct (Hvalid _ Ha) as [_ Hstart]. cbn [of start] in Hstart. lia. }
  rewrite (total_permutation _ _ _ Hperm), total_expand in Hcheap by exact Hcounts.
  unfold bound, value, ceil_div.
  set (V := total (fun x => snd x * cheapest D rows (fst x)) types
    - total (fun x => price x * right x) rows).
  assert (HV : V <= D * completions l) by (unfold V; lia).
  assert (- completions l <= - V / D); [|lia]. apply Z.div_le_lower_bound; lia.
Qed.

Lemma smallest_prompt_le types q n : In (q, n) types -> smallest_prompt types <= prompt q.
Proof.
  destruct types as [|[q0 n0] rest]; [intros []|]. simpl.
  assert (H : forall (l : list Z) z, fold_right Z.min z l <= z /\
      forall y, In y l -> fold_right Z.min z l <= y).
  { intros l z. induction l as [|y l [IH1 IH2]]; simpl; [split; [lia|intros y []]|].
    split; [lia|]. intros y' [->|Hy]; [lia|]. specialize (IH2 y' Hy). lia. }
  destruct (H (map (fun x => prompt (fst x)) rest) (prompt q0)) as [H1 H2].
  intros [E|Hin]; [inversion E; subst; exact H1|].
  apply H2. apply (in_map (fun x => prompt (fst x)) rest (q, n)) in Hin. exact Hin.
Qed.

Lemma smallest_prompt_nonneg types :
  (forall x, In x types -> 0 <= prompt (fst x)) -> 0 <= smallest_prompt types.
Proof.
  destruct types as [|[q0 n0] rest]; [simpl; lia|]. simpl. intros H.
  assert (H0 : 0 <= prompt q0) by (apply (H (q0, n0)); auto).
  assert (Hr : forall x, In x rest -> 0 <= prompt (fst x)) by (intros x Hx; apply H; auto).
  clear H. induction rest as [|x rest IH]; simpl; [lia|].
  assert (0 <= prompt (fst x)) by (apply Hr; simpl; auto).
  assert (0 <= fold_right Z.min (prompt q0) (map (fun x => prompt (fst x)) rest))
    by (apply IH; intros y Hy; apply Hr; simpl; auto). lia.
Qed.

Lemma in_expand types q : In q (expand types) -> exists n, In (q, n) types.
Proof.
  unfold expand. rewrite in_flat_map. intros ([q' n] & Hx & Hq). apply repeat_spec in Hq.
  simpl in Hq. subst. exists n. exact Hx.
Qed.

Lemma counts_late listed a : latest (map snd listed) <= start a -> counts listed a = 0.
Proof.
  intros H. unfold counts. destruct (existsb _ listed) eqn:E; [|reflexivity].
  apply existsb_exists in E as (x & Hx & Hb). apply (in_map snd) in Hx.
  apply latest_ge in Hx. lia.
Qed.

(* The rows of the splits above: they hold, and end in time. *)
Definition good (l : list attempt) (open_row : Z -> row) : Prop :=
  forall p, price (open_row p) = p /\ holds l (open_row p) /\
    forall a, until (open_row p) <= start a -> coefficient (open_row p) a = 0.

Lemma tree_sound M D types requests l t :
  schedule M requests l -> Permutation requests (expand types) ->
  (forall x, In x types -> 0 <= prompt (fst x) /\ 0 <= snd x) -> 1 <= D ->
  forall above result, Forall (good l) above ->
  tree_bound M D types above t = Some result -> result <= completions l.
Proof.
  intros Hl Hperm Htypes HD. induction t as [on_memory on_staircase on_branch|families on_memory on_staircase on_branch|listed b few IHf many IHm];
    intros above result Habove Hresult; cbn [tree_bound] in Hresult.
  - set (rows := map (fun x => memory_row M (fst x) (snd x)) on_memory ++ _) in Hresult.
    destruct ((length above =? length on_branch)%nat && forallb (fun x => 0 <=? price x) rows
      && forallb (fun x => 1 <=? fst (fst x)) on_staircase) eqn:Hok; [|discriminate].
    inversion Hresult as [E]. clear Hresult E.
    apply andb_true_iff in Hok as [Hok Hlevels]. apply andb_true_iff in Hok as [_ Hprices].
    rewrite forallb_forall in Hlevels, Hprices.
    assert (Hrows : forall x, In x rows ->
        holds l x /\ forall a, until x <= start a -> coefficient x a = 0).
    { intros x Hx. unfold rows in Hx. apply in_app_or in Hx as [Hx|Hx]; [|apply in_app_or in Hx as [Hx|Hx]].
      - apply in_map_iff in Hx as ([r p] & <- & _). split.
        + apply Hl.
        + intros a Ha. simpl in *. unfold use. replace (start a <? r) with false by lia. reflexivity.
      - apply in_map_iff in Hx as ([[m u] p] & <- & Hin). apply Hlevels in Hin. simpl in Hin. split.
        + unfold holds, staircase_row. cbn [coefficient right fst snd].
          rewrite <- (total_filter (in_window M (smallest_prompt types) m u) (fun _ => 1)).
          rewrite total_const, Z.mul_1_l. apply (staircase M requests); [exact Hl| |lia].
          intros q Hq. apply (Permutation_in _ Hperm) in Hq. apply in_expand in Hq as (n & Hq).
          split; [|apply (smallest_prompt_le types q n), Hq].
          apply smallest_prompt_nonneg. intros y Hy. apply (Htypes y Hy).
        + intros a Ha. simpl in *. unfold in_window.
          replace (start a <=? u) with false by lia. rewrite andb_false_r. reflexivity.
      - apply in_map_iff in Hx as ([open_row p] & <- & Hin). apply in_combine_l in Hin.
        rewrite Forall_forall in Habove. specialize (Habove _ Hin p) as (_ & Hh & Hz). simpl. auto. }
    apply (leaf_sound M requests); try assumption.
    + intros x Hx. apply (Htypes x Hx).
    + intros x Hx. specialize (Hprices x Hx). split; [lia|apply (Hrows x Hx)].
    + intros x a Hx. apply (Hrows x Hx).
  - discriminate.
  - destruct (tree_bound M D types (above ++ [few_row listed b]) few) as [x|] eqn:Ef; [|discriminate].
    destruct (tree_bound M D types (above ++ [many_row listed b]) many) as [y|] eqn:Em; [|discriminate].
    inversion Hresult. subst result. clear Hresult.
    (* every schedule is in one of the two *)
    destruct (Z.le_gt_cases (total (counts listed) l) b) as [Hfew|Hmany].
    + assert (x <= completions l); [|lia]. apply (IHf (above ++ [few_row listed b])); [|exact Ef].
      apply Forall_app. split; [exact Habove|]. constructor; [|constructor].
      intros p. repeat split; [exact Hfew|]. intros a Ha. apply counts_late, Ha.
    + assert (y <= completions l); [|lia]. apply (IHm (above ++ [many_row listed b])); [|exact Em].
      apply Forall_app. split; [exact Habove|]. constructor; [|constructor].
      intros p. repeat split.
      * unfold holds, many_row. cbn [coefficient right].
        rewrite (total_ext _ (fun a => -1 * counts listed a)) by (intros; lia).
        rewrite total_scale. lia.
      * intros a Ha. cbn [coefficient many_row] in *. rewrite (counts_late listed a Ha). reflexivity.
Qed.

(* If all types are released at time 0, so are all requests. *)
Lemma at_once_expand types requests :
  (forall x, In x types -> release (fst x) = 0) -> Permutation requests (expand types) ->
  at_once requests.
Proof.
  intros H Hperm q Hq. apply (Permutation_in _ Hperm) in Hq. apply in_expand in Hq as (n & Hq).
  apply (H (q, n) Hq).
Qed.

(* The rule "linear-duals" of FORMAT.md: whatever the prices and the splits are, if the
   checker returns a number, then every schedule of these requests, in whatever order they
   are listed, costs at least that. *)
Theorem prices_sound M D types t result requests l :
  prices_bound M D types t = Some result ->
  Permutation requests (expand types) -> schedule M requests l -> result <= cost l.
Proof.
  unfold prices_bound. intros H Hperm Hl.
  destruct ((1 <=? D) && forallb _ types) eqn:E; [|discriminate].
  apply andb_true_iff in E as [HD Htypes]. rewrite forallb_forall in Htypes.
  rewrite (cost_at_once M requests l Hl).
  2:{ apply (at_once_expand types); [|exact Hperm]. intros x Hx. specialize (Htypes x Hx). lia. }
  apply (tree_sound M D types requests l t Hl Hperm) with (above := []); try assumption.
  - intros x Hx. specialize (Htypes x Hx). lia.
  - lia.
  - constructor.
Qed.

(* The same with kills. *)
Theorem prices_sound_with_kills M D types t result requests l killed :
  prices_bound M D types t = Some result ->
  Permutation requests (expand types) -> schedule_with_kills M requests l killed ->
  result <= cost l.
Proof.
  intros H Hperm Hl. apply (prices_sound M D types t result requests l H Hperm).
  apply (no_kills M requests l killed Hl).
Qed.
